package words

// keepMost is how much of a message is kept, header included.
const keepMost = 512

// frames cuts what one end sends into messages that tell their own length. Once a message is none of the
// protocol, or its header is missing from the capture, the rest is passed over.
type frames struct {
	msg   []byte // the first bytes of the message at hand
	total int64  // its length, header included; 0 while that is not known
	left  int64  // of it, yet to come
	holes bool   // bytes of it were not captured: nothing after them is kept
	lost  bool
	wrong bool // and that for what is no message of the protocol
	most  int  // how much is kept of a message, where that is more
	stop  bool // set by done: what follows is another protocol's
}

// A sizer tells how many bytes of header are wanted beyond h, or, with 0, how long the message is, header
// included; a negative length is none of the protocol.
type sizer func(h []byte) (want int, total int64)

// feed takes the next bytes; done is called at the end of each message with its first bytes, keepMost at
// most, and its length. It returns what it leaves to another protocol.
func (f *frames) feed(b []byte, size sizer, done func(msg []byte, total int64)) (rest []byte) {
	for !f.lost {
		if f.stop {
			return b
		}
		if f.total == 0 {
			want, total := size(f.msg)
			switch {
			case total < 0:
				f.lost, f.wrong = true, true
				return nil
			case want > 0 && len(b) == 0:
				return nil
			case want > 0:
				n := min(want, len(b))
				f.msg, b = append(f.msg, b[:n]...), b[n:]
				continue
			}
			f.total, f.left = total, total-int64(len(f.msg))
		}
		n := int(min(f.left, int64(len(b))))
		if room := max(keepMost, f.most) - len(f.msg); room > 0 && !f.holes {
			f.msg = append(f.msg, b[:min(n, room)]...)
		}
		b, f.left = b[n:], f.left-int64(n)
		if f.left > 0 {
			return nil
		}
		f.end(done)
	}
	return nil
}

func (f *frames) end(done func(msg []byte, total int64)) {
	msg, total := f.msg, f.total
	f.msg, f.total, f.left, f.holes = f.msg[:0], 0, 0, false
	done(msg, total)
}

// skip passes over n bytes that were not captured.
func (f *frames) skip(n int64, done func(msg []byte, total int64)) {
	switch {
	case f.lost:
	case f.total == 0 || n > f.left:
		f.lost = true
	default:
		f.holes = true
		if f.left -= n; f.left == 0 {
			f.end(done)
		}
	}
}

// cut returns how much came of a message that is not complete, and its length where that is known.
func (f *frames) cut() (came, total int64, ok bool) {
	switch {
	case f.lost || f.total == 0 && len(f.msg) == 0:
		return 0, 0, false
	case f.total == 0:
		return int64(len(f.msg)), 0, true
	}
	return f.total - f.left, f.total, true
}

// framed is a protocol's two ends, of which another reader may take over.
type framed struct {
	ends [2]frames
	at   [2]spot // of the last message
	to   reader  // who reads on
}

// hear takes the next bytes of e and hands each message to one, which may set to.
func (f *framed) hear(e End, b []byte, at spot, size sizer, one func(e End, msg []byte, total int64)) {
	if f.to != nil {
		f.to.said(e, b, at)
		return
	}
	rest := f.ends[e].feed(b, size, func(msg []byte, total int64) {
		f.at[e] = at
		one(e, msg, total)
		f.ends[e].stop = f.to != nil
	})
	if len(rest) > 0 {
		f.to.said(e, rest, at)
	}
}

// pass passes over n bytes of e that were not captured.
func (f *framed) pass(e End, n int64, one func(e End, msg []byte, total int64)) {
	if f.to != nil {
		f.to.skip(e, n)
		return
	}
	f.ends[e].skip(n, func(msg []byte, total int64) { one(e, msg, total) })
}
