package analyze

import "closecap/analyze/event"

// queue is a list that a flow stands on, the one that was idle for longest first.
type queue uint8

const (
	embryos queue = iota // not yet established
	alive
	closed // the first to expire first
	queues
)

// place is the index of a flow among all that a Follower has made, from 1 on.
type place uint32

// lineup holds the flows' queues. Its links stand apart from the flows: to move a flow means
// to change its neighbours' links, and the neighbours are in no core's cache.
type lineup struct {
	flows  []*flow // by place
	links  []neighbours
	expiry []event.Time
	ends   [queues]neighbours // next is the first, prev the last
	n      [queues]int
}

type neighbours struct{ prev, next place }

// setExpiry says when fl, once closed, may be forgotten.
func (l *lineup) setExpiry(fl *flow, t event.Time) { l.expiry[fl.place] = t }

// nextExpiry returns when the first of the closed flows may be forgotten; ok is false without one.
func (l *lineup) nextExpiry() (t event.Time, ok bool) {
	first := l.ends[closed].next
	if first == 0 {
		return 0, false
	}
	return l.expiry[first], true
}

// admit gives a new flow its place.
func (l *lineup) admit(fl *flow) {
	if len(l.flows) == 0 {
		l.flows, l.links, l.expiry = append(l.flows, nil), append(l.links, neighbours{}), append(l.expiry, 0)
	}
	fl.place = place(len(l.flows))
	l.flows, l.links, l.expiry = append(l.flows, fl), append(l.links, neighbours{}), append(l.expiry, 0)
}

// first returns the first flow of q, nil when q is empty.
func (l *lineup) first(q queue) *flow {
	if l.n[q] == 0 {
		return nil
	}
	return l.flows[l.ends[q].next]
}

func (l *lineup) isLast(q queue, fl *flow) bool { return l.ends[q].prev == fl.place }

// push puts fl, which stands on no queue, at the end of q.
func (l *lineup) push(q queue, fl *flow) {
	last := l.ends[q].prev
	fl.queue = q
	l.links[fl.place] = neighbours{prev: last}
	if last == 0 {
		l.ends[q].next = fl.place
	} else {
		l.links[last].next = fl.place
	}
	l.ends[q].prev = fl.place
	l.n[q]++
}

// remove takes fl from its queue.
func (l *lineup) remove(fl *flow) {
	q, at := fl.queue, l.links[fl.place]
	if at.prev == 0 {
		l.ends[q].next = at.next
	} else {
		l.links[at.prev].next = at.next
	}
	if at.next == 0 {
		l.ends[q].prev = at.prev
	} else {
		l.links[at.next].prev = at.prev
	}
	l.n[q]--
}
