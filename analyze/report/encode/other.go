package encode

import (
	"strconv"

	"github.com/closecap/closecap/analyze"
)

// The functions here append what ties a connection to another one.

func appendRelay(b []byte, r *analyze.Relay) []byte {
	b = appendInt(append(b, `{"leg":`...), int64(r.Leg))
	b = appendInt(append(b, `,"pid":`...), int64(r.PID))
	b = appendString(append(b, `,"actor":`...), r.Actor)
	b = appendUint(append(b, `,"bytes":`...), r.Bytes)
	b = appendInt(append(b, `,"received":`...), int64(r.Received))
	b = appendInt(append(b, `,"sent":`...), int64(r.Sent))
	if r.Call != 0 {
		b = appendInt(append(b, `,"call":`...), int64(r.Call))
	}
	if r.After != 0 {
		b = appendInt(append(b, `,"after":`...), int64(r.After))
	}
	b = appendWord(append(b, `,"confidence":`...), string(r.Confidence))
	return append(b, '}')
}

func appendRemapped(b []byte, r *analyze.Remapped) []byte {
	b = appendAddress(append(b, `{"address":`...), r.Address)
	b = appendUint(append(b, `,"frame":`...), r.Frame)
	return append(strconv.AppendBool(append(b, `,"earlier":`...), r.Earlier), '}')
}
