package event

import (
	"net/netip"
	"slices"
)

// Packet is one frame as it was captured, before anything was understood of it.
type Packet struct {
	Frame     uint64
	Time      Time
	WireLen   int    // bytes on the wire; more than len(Data) when the snap length cut
	LinkType  uint16 // LINKTYPE_ value, https://www.tcpdump.org/linktypes.html
	Interface uint32
	Direction Has // Outgoing or Incoming where the file says so beside the packet; 0 otherwise
	Data      []byte
	Comment   string // of the file, or to be written there
}

// Record is one frame of a timeline: a packet, or an entry between packets, in which case Packet
// holds no Data.
type Record struct {
	Packet       Packet
	Journal      bool // no packet: an entry of any program; those below are closecap's
	Call         *Call
	Run          *Run
	Expectations []Expectation // with Run
	Kernel       *KernelEntry
}

// Recording is all the evidence of one run: few connections, all of it in memory.
type Recording struct {
	Run          Run           `json:"run"`
	Packets      []Packet      `json:"-"`
	Segments     []Segment     `json:"-"`
	Calls        []*Call       `json:"-"`
	Expectations []Expectation `json:"-"`
	Kernel       []KernelEvent `json:"-"` // what the kernel told of its connections; nil where nobody asked
}

// MaxKernel bounds the kernel's events of one recording.
const MaxKernel = 1 << 20

// AddCalls appends copies of calls. They lie together: a million of them in one array would be moved
// each time it grows, and the garbage collector would go through what is empty of it.
func (r *Recording) AddCalls(calls ...Call) {
	block := slices.Clone(calls)
	r.Calls = slices.Grow(r.Calls, len(block))
	for i := range block {
		r.Calls = append(r.Calls, &block[i])
	}
}

// DropRepeated leaves out each call that is recorded once more, as where a recording is given twice, and
// returns how many: no thread makes two calls at one moment.
func (r *Recording) DropRepeated() int {
	type key struct {
		pid, tid, fd  int
		start, end    Time
		socket        uint64
		local, remote netip.AddrPort
		name, args    string
		ret           int64
		text          string
	}
	seen := make(map[key]bool, len(r.Calls))
	all := len(r.Calls)
	r.Calls = slices.DeleteFunc(r.Calls, func(c *Call) bool {
		k := key{c.PID, c.TID, c.FD, c.Start, c.End, c.Socket, c.Local, c.Remote, c.Name, c.Args, c.Ret, c.Text}
		again := seen[k]
		seen[k] = true
		return again
	})
	return all - len(r.Calls)
}

// After adds to r, the end of one recording, what holds for those before it on the same timeline, too.
func (r *Run) After(before *Run) {
	r.Dropped += before.Dropped
	r.Truncated = r.Truncated || before.Truncated
	r.SameHost = r.SameHost && before.SameHost
	for _, w := range before.Warnings {
		if !slices.Contains(r.Warnings, w) {
			r.Warnings = append(r.Warnings, w)
		}
	}
}

// Run says where and how a recording was made.
type Run struct {
	Tool      string           `json:"tool,omitempty"`
	Scenario  string           `json:"scenario,omitempty"`
	Remember  []string         `json:"remember,omitempty"` // what the script says is to be remembered
	Source    string           `json:"source,omitempty"`   // interface or file
	LinkType  string           `json:"link_type,omitempty"`
	Kernel    string           `json:"kernel,omitempty"` // release
	Netns     string           `json:"netns,omitempty"`  // "private" or "host"
	Counters  map[string]int64 `json:"counters,omitempty"`
	Dropped   uint64           `json:"dropped"`             // packets that the capture lost
	SameHost  bool             `json:"same_host,omitempty"` // both ends live on the capturing host
	Explains  string           `json:"explains,omitempty"`  // topic of `closecap explain`
	Warnings  []string         `json:"warnings,omitempty"`
	Truncated bool             `json:"truncated,omitempty"`
}
