package encode

import (
	"strconv"

	"github.com/closecap/closecap/analyze"
)

func appendIdleClose(b []byte, i *analyze.IdleClose) []byte {
	b = appendWord(append(b, `{"by":`...), string(i.By))
	b = appendUint(append(b, `,"fin":`...), i.Fin)
	b = appendUint(append(b, `,"request":`...), i.Request)
	b = appendInt(append(b, `,"margin_ns":`...), i.MarginNS)
	b = appendPerSide(append(b, `,"idle_ns":`...), i.IdleNS)
	return append(strconv.AppendBool(append(b, `,"crossed":`...), i.Crossed), '}')
}
