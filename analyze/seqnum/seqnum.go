// Package seqnum does arithmetic on TCP's 32-bit sequence numbers, which wrap.
//
// It knows no connection: an absolute position in a stream that may exceed 4 GiB
// is a uint64 kept by whoever follows the connection.
package seqnum

// Value is a sequence number as it stands in a TCP header.
type Value uint32

// Less reports v < w: v lies in the 2 GiB before w (RFC 9293 3.4).
func (v Value) Less(w Value) bool { return int32(v-w) < 0 }

// LessEq reports v <= w.
func (v Value) LessEq(w Value) bool { return int32(v-w) <= 0 }

// InRange reports from <= v < to.
func (v Value) InRange(from, to Value) bool { return v-from < to-from }

// InWindow reports first <= v < first+size.
func (v Value) InWindow(first Value, size uint32) bool { return v.InRange(first, first.Add(size)) }

// Add returns v + n, wrapped.
func (v Value) Add(n uint32) Value { return v + Value(n) }

// Diff returns v - w as a signed distance: positive when v comes after w.
func (v Value) Diff(w Value) int32 { return int32(v - w) }

// Max returns the later of v and w.
func (v Value) Max(w Value) Value {
	if v.Less(w) {
		return w
	}
	return v
}
