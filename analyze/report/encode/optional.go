package encode

import (
	"strconv"

	"github.com/closecap/closecap/analyze"
)

// appendFirstFile writes where the connection begins, of several files.
func appendFirstFile(b []byte, c *analyze.Connection) []byte {
	if c.FirstFile != "" {
		b = appendString(append(b, `,"first_file":`...), c.FirstFile)
	}
	if c.FirstFileFrame != 0 {
		b = appendUint(append(b, `,"first_file_frame":`...), c.FirstFileFrame)
	}
	return b
}

func appendIdleClose(b []byte, i *analyze.IdleClose) []byte {
	b = appendWord(append(b, `{"by":`...), string(i.By))
	b = appendUint(append(b, `,"fin":`...), i.Fin)
	b = appendUint(append(b, `,"request":`...), i.Request)
	b = appendInt(append(b, `,"margin_ns":`...), i.MarginNS)
	b = appendPerSide(append(b, `,"idle_ns":`...), i.IdleNS)
	return append(strconv.AppendBool(append(b, `,"crossed":`...), i.Crossed), '}')
}
