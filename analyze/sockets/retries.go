package sockets

import (
	"cmp"
	"time"

	"github.com/closecap/closecap/analyze/event"
)

// The kernel's constants (include/net/tcp.h).
const (
	rtoMin        = int64(200 * time.Millisecond) // TCP_RTO_MIN
	rtoMax        = int64(120 * time.Second)      // TCP_RTO_MAX, where tcp_rto_max_ms is not there
	orphanRetries = 8                             // for tcp_orphan_retries 0 (net/ipv4/tcp_timer.c: tcp_orphan_retries())
)

// givesUp says when the kernel stops sending again. TCP_USER_TIMEOUT, a lack of memory and a
// network that says the peer is unreachable can make it earlier.
func (j *judge) givesUp(s *event.Socket) End {
	limit, setting, known := j.limit(s)
	end := End{By: ByRetries, Setting: setting}
	if !known || s.Info == nil || s.Info.RTO <= 0 || s.Timer != "retransmit" && s.Timer != "probe" {
		return end
	}
	b := backoff{
		first: s.Info.RTO >> min(s.Info.Backoff, 62),
		now:   s.Info.RTO, most: cmp.Or(j.evidence.Settings["tcp_rto_max_ms"]*int64(time.Millisecond), rtoMax),
	}
	switch {
	case s.State == event.SynSent:
		linear := int(j.evidence.Settings["tcp_syn_linear_timeouts"])
		end.Retries, end.LeftNS = b.byCount(int(limit)-s.Retransmits, linear-s.Retransmits, s.Left)
	case s.Timer == "probe":
		end.Retries, end.LeftNS = j.byProbes(s, b.most)
	default:
		end.Retries, end.LeftNS = b.byTime(s.Retransmits, int(limit), s.Left)
	}
	return end
}

// byProbes reckons as net/ipv4/tcp_timer.c: tcp_probe_timer(). A peer that answers sets the count of probes
// back, and an open socket may then wait for ever: told is what a peer that falls silent leaves. An orphan is
// given up as well when its timeout has grown to the most, whatever its peer answers.
func (j *judge) byProbes(s *event.Socket, most int64) (retries int, left int64) {
	limit, _, _ := j.limit(s)
	set := j.evidence.Settings["tcp_orphan_retries"]
	sent, answered := int64(s.Retransmits), s.Orphan && s.Retransmits == 0
	grown := func(timeout int64) int64 {
		for range s.Info.Backoff + retries {
			if timeout *= 2; timeout >= most {
				return most
			}
		}
		return timeout
	}
	for left = s.Left; sent < limit; {
		if s.Orphan && grown(s.Info.RTO) >= most && max(int64(s.Info.Backoff+retries), sent) >= set {
			break
		}
		if !answered {
			sent++
		}
		retries++
		left += grown(max(s.Info.RTO, rtoMin))
	}
	return retries, left
}

// limit returns the setting that bounds the retries, and its number.
func (j *judge) limit(s *event.Socket) (n int64, setting string, known bool) {
	switch {
	case s.State == event.SynSent:
		setting = "tcp_syn_retries"
		n, known = j.evidence.Settings[setting]
		n += j.evidence.Settings["tcp_syn_linear_timeouts"]
	case s.Orphan:
		setting = "tcp_orphan_retries"
		n, known = j.evidence.Settings[setting]
		n = cmp.Or(n, orphanRetries)
	default:
		setting = "tcp_retries2"
		n, known = j.evidence.Settings[setting]
	}
	return n, setting, known
}

// backoff is a retransmission timeout that doubles.
type backoff struct{ first, now, most int64 }

// byTime reckons as net/ipv4/tcp_timer.c: retransmits_timed_out(): the limit is the time that so
// many retransmissions would take from the first on if the timeout began with TCP_RTO_MIN. It
// returns how many follow after sent ones, and how long that takes, the next being due in due.
func (b backoff) byTime(sent, limit int, due int64) (retries int, left int64) {
	var passed int64 // from the first retransmission to when the timer fires next
	for i := 1; i <= sent; i++ {
		passed += b.after(i)
	}
	end := model(limit, b.most)
	for left = due; sent == 0 || passed < end; {
		retries++
		sent++
		wait := b.after(sent)
		passed += wait
		left += wait
	}
	return retries, left
}

// byCount returns how long retries take, the first linear of which leave the timeout as it is.
func (b backoff) byCount(retries, linear int, due int64) (int, int64) {
	retries = max(retries, 0)
	left := due
	for wait, i := b.now, 0; i < retries; i++ {
		if i >= linear {
			wait = min(2*wait, b.most)
		}
		left += wait
	}
	return retries, left
}

// after is the timeout after so many retransmissions.
func (b backoff) after(sent int) int64 {
	wait := b.first
	for range sent {
		if wait = 2 * wait; wait >= b.most {
			return b.most
		}
	}
	return wait
}

// model is tcp_model_timeout().
func model(limit int, most int64) int64 {
	doublings := 0 // until the timeout is the most
	for rtoMin<<(doublings+1) <= most {
		doublings++
	}
	if limit <= doublings {
		return (2<<limit - 1) * rtoMin
	}
	return (2<<doublings-1)*rtoMin + int64(limit-doublings)*most
}
