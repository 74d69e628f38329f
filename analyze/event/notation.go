package event

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/closecap/closecap/analyze/seqnum"
)

// hasWords are the marks of a segment that carry no value of their own.
var hasWords = []struct {
	has  Has
	word string
}{
	{HasSACKPermitted, "sackOK"}, {Truncated, "cut"}, {OptionsTruncated, "options-cut"},
	{BadChecksum, "bad-checksum"}, {BadIPChecksum, "bad-ip-checksum"}, {Fragmented, "fragment"}, {Outgoing, "out"}, {Incoming, "in"},
	{HasMultipath, "mptcp"}, {DataFin, "data-fin"},
}

// Words of Options that Has has no bit for.
const (
	sackTwiceWord  = "sack-twice"
	scaleFirstWord = "scale-first"
	alertWord      = "tls-alert"
)

// String writes a segment as one line that ParseSegment reads:
//
//	6 0.000391000 10.0.0.1:40000 > 10.0.0.2:80 F. seq 113 ack 1 len 12 win 512 id 7 ttl 64
//
// Frame, seconds since the epoch, ends, flags; then what differs from nothing, by name: seq,
// ack, len, win, id, ttl, if (interface), mss, wscale, ts VALUE:ECHO, sack LEFT:RIGHT,
// tfo (cookie length), and the words sackOK, cut, options-cut, bad-checksum, bad-ip-checksum, fragment, out, in,
// mptcp, data-fin, sack-twice, scale-first, tls-alert.
func (s *Segment) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s %s > %s %s seq %d", s.Frame, seconds(s.Time), s.Src, s.Dst, s.Flags, s.Seq)
	number := func(name string, v uint64, present bool) {
		if present {
			fmt.Fprintf(&b, " %s %d", name, v)
		}
	}
	number("ack", uint64(s.Ack), s.Flags.Has(ACK) || s.Ack != 0)
	number("len", uint64(s.Len), s.Len != 0)
	number("win", uint64(s.Window), s.Window != 0)
	number("id", uint64(s.IPID), s.Has.With(HasIPID) || s.IPID != 0)
	number("ttl", uint64(s.TTL), s.TTL != 0)
	number("if", uint64(s.Interface), s.Interface != 0)
	o := &s.Options
	number("mss", uint64(o.MSS), s.Has.With(HasMSS))
	number("wscale", uint64(o.WScale), s.Has.With(HasWScale))
	number("tfo", uint64(o.FastOpenLen), s.Has.With(HasFastOpen))
	if s.Has.With(HasTimestamps) {
		fmt.Fprintf(&b, " ts %d:%d", o.TSVal, o.TSEcr)
	}
	if s.Has.With(HasSACK) {
		fmt.Fprintf(&b, " sack %d:%d", o.SACKLeft, o.SACKRight)
	}
	for _, w := range hasWords {
		if s.Has.With(w.has) {
			b.WriteByte(' ')
			b.WriteString(w.word)
		}
	}
	if o.SACKTwice {
		b.WriteString(" " + sackTwiceWord)
	}
	if o.ScaleFirst {
		b.WriteString(" " + scaleFirstWord)
	}
	if o.TLSAlert {
		b.WriteString(" " + alertWord)
	}
	return b.String()
}

// With reports whether all bits of h2 are set in h.
func (h Has) With(h2 Has) bool { return h&h2 == h2 }

func seconds(t Time) string { return fmt.Sprintf("%d.%09d", t/1e9, t%1e9) }

// ParseSegment reads what Segment.String wrote. Fractions of a second may be shorter.
func ParseSegment(line string) (Segment, error) {
	w := strings.Fields(line)
	if len(w) < 6 || w[3] != ">" {
		return Segment{}, errors.New("parse segment: want FRAME TIME SRC > DST FLAGS …")
	}
	var s Segment
	var err error
	if s.Frame, err = strconv.ParseUint(w[0], 10, 64); err != nil {
		return s, fmt.Errorf("parse segment: frame: %w", err)
	}
	if s.Time, err = parseSeconds(w[1]); err != nil {
		return s, fmt.Errorf("parse segment: time: %w", err)
	}
	if s.Src, err = netip.ParseAddrPort(w[2]); err != nil {
		return s, fmt.Errorf("parse segment: source: %w", err)
	}
	if s.Dst, err = netip.ParseAddrPort(w[4]); err != nil {
		return s, fmt.Errorf("parse segment: destination: %w", err)
	}
	var ok bool
	if s.Flags, ok = ParseFlags(w[5]); !ok {
		return s, fmt.Errorf("parse segment: unknown flags %q", w[5])
	}
	for rest := w[6:]; len(rest) > 0; {
		n, err := s.parseField(rest)
		if err != nil {
			return s, fmt.Errorf("parse segment: %w", err)
		}
		rest = rest[n:]
	}
	return s, nil
}

// parseField reads the field at the head of w and returns how many words it took.
func (s *Segment) parseField(w []string) (int, error) {
	for _, h := range hasWords {
		if w[0] == h.word {
			s.Has |= h.has
			return 1, nil
		}
	}
	switch w[0] {
	case sackTwiceWord:
		s.Options.SACKTwice = true
		return 1, nil
	case scaleFirstWord:
		s.Options.ScaleFirst = true
		return 1, nil
	case alertWord:
		s.Options.TLSAlert = true
		return 1, nil
	}
	if len(w) < 2 {
		return 0, fmt.Errorf("%s: no value", w[0])
	}
	a, b, _ := strings.Cut(w[1], ":")
	v, err := strconv.ParseUint(a, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", w[0], err)
	}
	var second uint64
	if b != "" {
		if second, err = strconv.ParseUint(b, 10, 32); err != nil {
			return 0, fmt.Errorf("%s: %w", w[0], err)
		}
	}
	if !s.setField(w[0], v, second) {
		return 0, fmt.Errorf("unknown field %q", w[0])
	}
	return 2, nil
}

func (s *Segment) setField(name string, v, second uint64) bool {
	o := &s.Options
	switch name {
	case "seq":
		s.Seq = seqnum.Value(v)
	case "ack":
		s.Ack = seqnum.Value(v)
	case "len":
		s.Len = uint32(v)
	case "win":
		s.Window = uint16(v)
	case "id":
		s.IPID, s.Has = uint16(v), s.Has|HasIPID
	case "ttl":
		s.TTL = uint8(v)
	case "if":
		s.Interface = uint32(v)
	case "mss":
		o.MSS, s.Has = uint16(v), s.Has|HasMSS
	case "wscale":
		o.WScale, s.Has = uint8(v), s.Has|HasWScale
	case "tfo":
		o.FastOpenLen, s.Has = uint8(v), s.Has|HasFastOpen
	case "ts":
		o.TSVal, o.TSEcr, s.Has = uint32(v), uint32(second), s.Has|HasTimestamps
	case "sack":
		o.SACKLeft, o.SACKRight, s.Has = seqnum.Value(v), seqnum.Value(second), s.Has|HasSACK
	default:
		return false
	}
	return true
}

// parseSeconds reads seconds with up to nine decimals.
func parseSeconds(text string) (Time, error) {
	whole, frac, _ := strings.Cut(text, ".")
	if len(frac) > 9 {
		return 0, fmt.Errorf("%q has more than nine decimals", text)
	}
	sec, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return 0, err
	}
	ns, err := strconv.ParseInt((frac + "000000000")[:9], 10, 64)
	if err != nil || sec < 0 || sec > 1<<33 {
		return 0, fmt.Errorf("%q is no time", text)
	}
	return Time(sec*1e9 + ns), nil
}

// Summary writes a call for people: "client shutdown(3, SHUT_WR) = 0".
func (c *Call) Summary() string {
	var args []string
	if c.FD >= 0 {
		args = append(args, strconv.Itoa(c.FD))
	}
	if c.Args != "" {
		args = append(args, c.Args)
	}
	result := strconv.FormatInt(c.Ret, 10)
	switch {
	case c.Errno != "":
		result += " " + c.Errno
	case c.End == 0: // it had not returned
		result = "?"
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s(%s) = %s", c.Actor, c.Name, strings.Join(args, ", "), result))
}
