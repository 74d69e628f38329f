package encode

import (
	"maps"
	"slices"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// Call appends c to b.
func (e *Encoder) Call(b []byte, c *analyze.Call) []byte {
	b = appendInt(append(b, `{"id":`...), int64(c.ID))
	b = appendString(append(b, `,"actor":`...), c.Actor)
	b = appendInt(append(b, `,"pid":`...), int64(c.PID))
	b = appendInt(append(b, `,"tid":`...), int64(c.TID))
	b = appendInt(append(b, `,"fd":`...), int64(c.FD))
	if c.Socket != 0 {
		b = appendUint(append(b, `,"socket":`...), c.Socket)
	}
	if c.Local.IsValid() || c.Local.Port() != 0 {
		b = appendAddress(append(b, `,"local":`...), c.Local)
	}
	if c.Remote.IsValid() || c.Remote.Port() != 0 {
		b = appendAddress(append(b, `,"remote":`...), c.Remote)
	}
	b = appendString(append(b, `,"name":`...), c.Name)
	b = appendString(append(b, `,"args":`...), c.Args)
	b = appendText(b, `,"syscall":`, c.Syscall)
	b = appendInt(append(b, `,"ret":`...), c.Ret)
	b = appendString(append(b, `,"errno":`...), c.Errno)
	b = e.time(append(b, `,"start":`...), c.Start)
	b = e.time(append(b, `,"end":`...), c.End)
	if c.Abandoned != 0 {
		b = e.time(append(b, `,"abandoned":`...), c.Abandoned)
	}
	b = appendText(b, `,"signal":`, c.Signal)
	if c.Thread {
		b = append(b, `,"thread":true`...)
	}
	if c.Blocked {
		b = append(b, `,"blocked":true`...)
	}
	if c.Peek {
		b = append(b, `,"peek":true`...)
	}
	if c.Ring {
		b = append(b, `,"io_uring":true`...)
	}
	if c.Accepted != 0 {
		b = appendInt(append(b, `,"accepted":`...), int64(c.Accepted))
	}
	b = appendInt(append(b, `,"recvq":`...), int64(c.RecvQ))
	if len(c.Holders) > 0 {
		b = appendList(append(b, `,"holders":`...), c.Holders, appendHolder)
	}
	if len(c.Sent) > 0 {
		b = appendList(append(b, `,"sent":`...), c.Sent, e.departure)
	}
	b = appendText(b, `,"text":`, c.Text)
	b = appendText(b, `,"at":`, c.At)
	b = appendText(b, `,"want":`, c.Want)
	b = appendText(b, `,"note":`, c.Note)
	if len(c.Counters) > 0 {
		b = appendMap(append(b, `,"counters":`...), c.Counters, appendInt)
	}
	if len(c.Samples) > 0 {
		b = appendList(append(b, `,"samples":`...), c.Samples, e.sample)
	}
	return append(appendJoined(b, c), '}')
}

// appendJoined writes what the join added to a call.
func appendJoined(b []byte, c *analyze.Call) []byte {
	if c.Connection != 0 {
		b = appendInt(append(b, `,"connection":`...), int64(c.Connection))
	}
	b = appendText(b, `,"side":`, string(c.Side))
	if c.Bytes != nil {
		b = appendList(append(b, `,"bytes":`...), c.Bytes[:], appendUint)
	}
	b = appendList(append(b, `,"caused":`...), c.Caused, appendUint)
	b = appendList(append(b, `,"returned_by":`...), c.ReturnedBy, appendUint)
	b = appendText(b, `,"explain":`, c.Explain)
	if len(c.States) > 0 {
		b = appendMap(append(b, `,"states":`...), c.States, appendString)
	}
	return b
}

func (e *Encoder) sample(b []byte, s event.Sample) []byte {
	b = e.time(append(b, `{"time":`...), s.Time)
	b = appendAddress(append(b, `,"local":`...), s.Local)
	b = appendAddress(append(b, `,"remote":`...), s.Remote)
	b = appendString(append(b, `,"state":`...), s.State.String())
	b = appendText(b, `,"timer":`, s.Timer)
	if s.Left != 0 {
		b = appendInt(append(b, `,"left_ns":`...), s.Left)
	}
	if s.Retransmits != 0 {
		b = appendInt(append(b, `,"retransmits":`...), int64(s.Retransmits))
	}
	b = appendInt(append(b, `,"recvq":`...), int64(s.RecvQ))
	b = appendInt(append(b, `,"sendq":`...), int64(s.SendQ))
	if s.Orphan {
		b = append(b, `,"orphan":true`...)
	}
	return append(b, '}')
}

func (e *Encoder) departure(b []byte, d event.Departure) []byte {
	b = e.time(append(b, `{"time":`...), d.Time)
	b = appendUint(append(b, `,"flags":`...), uint64(d.Flags))
	b = appendUint(append(b, `,"seq":`...), uint64(d.Seq))
	return append(appendUint(append(b, `,"len":`...), uint64(d.Len)), '}')
}

func appendHolder(b []byte, h event.Holder) []byte {
	b = appendInt(append(b, `{"pid":`...), int64(h.PID))
	b = appendInt(append(b, `,"fd":`...), int64(h.FD))
	return append(appendText(b, `,"actor":`, h.Actor), '}')
}

// appendText appends a text under key, unless it is empty.
func appendText(b []byte, key, s string) []byte {
	if s == "" {
		return b
	}
	return appendString(append(b, key...), s)
}

// appendMap appends an object in the order of its keys.
func appendMap[K ~string, V any](b []byte, m map[K]V, value func([]byte, V) []byte) []byte {
	b = append(b, '{')
	for i, key := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = value(append(appendString(b, string(key)), ':'), m[key])
	}
	return append(b, '}')
}
