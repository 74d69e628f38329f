package join

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/endings"
	"github.com/closecap/closecap/analyze/event"
)

// toldGap is more than what lies between the kernel's telling of an RST and its being captured, also where the
// machine is so busy that the sender is stopped in between.
const toldGap = 100 * time.Millisecond

// told is what the kernel told of a recording's connections. Any of it may be missing: who lacks an event goes by
// calls and packets.
type told struct {
	resets   map[uint64]*event.KernelReset           // by frame of the RST
	drew     map[uint64]uint64                       // by frame of the RST, the frame of what drew it
	ends     map[[2]netip.AddrPort][]*event.Endpoint // by local and remote address, as they ended
	released map[uint64]*event.Release               // by socket
}

// drawn is what an RST's own numbers say of the segment that drew it (tcp_v4_send_reset): it begins where an
// ACK of that says, or acknowledges what had none. An RST that a call or a timer sent answers nothing.
type drawn struct {
	from, to netip.AddrPort
	number   uint32
	acks     bool
}

// listen returns what the kernel told of rec, nil where nobody asked it.
func listen(rec *event.Recording) *told {
	if len(rec.Kernel) == 0 {
		return nil
	}
	t := &told{map[uint64]*event.KernelReset{}, map[uint64]uint64{}, map[[2]netip.AddrPort][]*event.Endpoint{}, map[uint64]*event.Release{}}
	sent, offenders := map[drawn][]*event.KernelReset{}, map[offender]uint64{}
	for _, k := range rec.Kernel {
		switch {
		case k.Endpoint != nil:
			ends := [2]netip.AddrPort{k.Endpoint.Local, k.Endpoint.Remote}
			t.ends[ends] = append(t.ends[ends], k.Endpoint)
		case k.Release != nil:
			t.released[k.Release.Socket] = k.Release
		case k.Reset != nil:
			d := drawnBy(k.Reset)
			sent[d] = append(sent[d], k.Reset)
			if k.Reset.Offender != nil {
				offenders[offenderOf(k.Reset)] = 0
			}
		}
	}
	for _, list := range t.ends {
		slices.SortStableFunc(list, func(a, b *event.Endpoint) int { return cmp.Compare(a.Stop(), b.Stop()) })
	}
	for _, list := range sent {
		slices.SortStableFunc(list, func(a, b *event.KernelReset) int { return cmp.Compare(a.Time, b.Time) })
	}
	for i := range rec.Segments {
		s := &rec.Segments[i]
		if s.Flags.Has(event.RST) {
			if k := t.place(s, sent); k != nil && k.Offender != nil {
				t.drew[s.Frame] = offenders[offenderOf(k)]
			}
		} else if len(offenders) > 0 {
			o := offender{s.Src, s.Dst, event.Offender{Flags: s.Flags, Seq: uint32(s.Seq), Ack: uint32(s.Ack), Len: s.Len}}
			if _, drew := offenders[o]; drew {
				offenders[o] = s.Frame
			}
		}
	}
	return t
}

// offender is a segment that drew an RST.
type offender struct {
	from, to netip.AddrPort
	event.Offender
}

func offenderOf(r *event.KernelReset) offender { return offender{r.Remote, r.Local, *r.Offender} }

func drawnBy(r *event.KernelReset) drawn {
	d := drawn{from: r.Local, to: r.Remote, acks: true}
	switch o := r.Offender; {
	case o == nil:
	case o.Flags.Has(event.ACK):
		d.number, d.acks = o.Ack, false
	default:
		end := event.Segment{Len: o.Len, Flags: o.Flags}
		d.number = o.Seq + uint32(end.End())
	}
	return d
}

// place finds the event of the RST s, the nearest in time, and takes it out of sent with those before it. nil where
// none was told.
func (t *told) place(s *event.Segment, sent map[drawn][]*event.KernelReset) *event.KernelReset {
	keys := []drawn{{s.Src, s.Dst, uint32(s.Ack), true}, {from: s.Src, to: s.Dst, acks: true}}
	if !s.Flags.Has(event.ACK) {
		keys = []drawn{{s.Src, s.Dst, uint32(s.Seq), false}}
	}
	for _, key := range keys {
		list := sent[key]
		for len(list) > 1 && s.Time.Sub(list[1].Time).Abs() <= s.Time.Sub(list[0].Time).Abs() {
			list = list[1:]
		}
		sent[key] = list
		if len(list) > 0 && s.Time.Sub(list[0].Time).Abs() <= toldGap {
			t.resets[s.Frame], sent[key] = list[0], list[1:]
			return list[0]
		}
	}
	return nil
}

// end returns how lc's end of that side ended; nil where the kernel did not tell.
func (t *told) end(lc *linked, side analyze.Side) *event.Endpoint {
	ends := [2]netip.AddrPort{lc.Client, lc.Server}
	if side == analyze.Server {
		ends = [2]netip.AddrPort{lc.Server, lc.Client}
	}
	list := t.ends[ends]
	// Those before it had ended when it began.
	i, _ := slices.BinarySearchFunc(list, lc.Start, func(e *event.Endpoint, start event.Time) int { return cmp.Compare(e.Stop(), start) })
	if i == len(list) || list[i].Start() > lc.End.Add(toldGap) {
		return nil
	}
	return list[i]
}

// fin returns who sent the FIN of lc's end of that side; nil where the kernel did not tell.
func (t *told) fin(lc *linked, side analyze.Side) *event.Task {
	if t == nil {
		return nil
	}
	if e := t.end(lc, side); e != nil {
		return e.Fin
	}
	return nil
}

// endOf returns the end that sent k, an RST of lc's side; nil where that is not known.
func (t *told) endOf(lc *linked, side analyze.Side, k *event.KernelReset) *event.Endpoint {
	e := t.end(lc, side)
	if e != nil && (k.Socket != 0 && k.Socket != e.Socket || e.Stop() > k.Time.Add(toldGap)) {
		return nil
	}
	return e
}

// heed takes over what the kernel told of lc: why its RST was sent.
func (l *linker) heed(lc *linked) {
	if l.told == nil {
		return
	}
	if r := lc.Reset; r != nil {
		if k := l.told.resets[r.Frame]; k != nil {
			l.heedReset(lc, r, k)
		}
	}
}

func (l *linker) heedReset(lc *linked, r *analyze.Reset, k *event.KernelReset) {
	e := l.told.endOf(lc, r.By, k)
	cause, sure := endings.Cause(k, e)
	why, reason := endings.Explanation(cause, k, e, r.By), ""
	if k.Reason != "" {
		reason = "the kernel's reason is " + k.Reason
	}
	switch {
	case cause == r.Cause && sure == analyze.InKernel:
		r.Confidence = sure
		reason = cmp.Or(reason, why)
	case settles(lc, r.Cause, cause, sure):
		if r.Cause != analyze.UnknownCause && r.Cause != analyze.Aborted {
			lc.Warnings = append(lc.Warnings, fmt.Sprintf("packets and calls say %s of the RST in frame %d, the kernel says %s", r.Cause, r.Frame, cause))
		}
		setCause(r, cause, sure, why)
	}
	addWhy(r, reason)
	if r.Confidence == analyze.InKernel {
		lc.Candidates = slices.DeleteFunc(lc.Candidates, func(p analyze.Possible) bool { return p.Claim == analyze.ClaimCause })
	}
	if e != nil && e.Socket == k.Socket && !lc.Multipath && (r.Lost.From == analyze.NoSide || r.Lost.From == lc.Peer(r.By)) {
		r.Lost.From, r.Lost.Unread = lc.Peer(r.By), uint64(e.Unread)
		lc.keepRead(&r.Lost)
		r.Lost.TLSAlerts = min(r.Lost.TLSAlerts, r.Lost.Unacked+r.Lost.Unread+r.Lost.AfterClose)
	}
}

// settles reports whether the kernel's cause takes the place of what packets and calls say. A coarser word
// contradicts nothing: that a socket aborted leaves open by which call, and that none was there what had been
// before.
func settles(lc *linked, before, cause analyze.ResetCause, sure analyze.Confidence) bool {
	switch {
	case cause == analyze.UnknownCause, cause == before, (lc.Ending == analyze.WasRefused) != (cause == analyze.ConnRefused):
		return false
	case before == analyze.UnknownCause:
		return true
	case cause == analyze.Aborted:
		return before == analyze.Middlebox
	case cause == analyze.NoSocket && (before == analyze.DataAfterClose || before == analyze.AcceptQueueFull):
		return false
	}
	return sure == analyze.InKernel
}
