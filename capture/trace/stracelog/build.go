package stracelog

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/closecap/closecap/analyze/event"
)

// builder turns raw calls into those of TCP sockets.
type builder struct {
	opts  Options
	log   Log
	raws  []raw
	kept  keeper
	words map[string]string // strings that calls share
	comms map[int]string
	procs map[int]*process // by thread
	conns map[[2]netip.AddrPort]*socket
	made  []*socket     // of log.Calls, side by side; nil where unknown
	died  map[int]death // by thread
	blind int           // calls on descriptors that the log does not explain
	warns map[string]bool
}

// death is how a thread ended.
type death struct {
	at   event.Time
	name string // as event.Call has it: kill or exit
	how  string // the signal, or the status
}

// process is a thread group, as far as the log shows which threads belong together.
type process struct {
	pid     int
	sockets map[int]*socket // nil: known to be no TCP socket
	threads int
	last    event.Time // its latest line
}

// socket is one TCP socket.
type socket struct {
	inode         uint64
	local, remote netip.AddrPort
}

func newBuilder(opts Options, single bool) *builder {
	return &builder{
		opts: opts, kept: newKeeper(single), words: map[string]string{},
		comms: map[int]string{}, procs: map[int]*process{},
		conns: map[[2]netip.AddrPort]*socket{}, warns: map[string]bool{}, died: map[int]death{},
	}
}

func (b *builder) warn(format string, args ...any) {
	w := fmt.Sprintf(format, args...)
	if !b.warns[w] {
		b.warns[w] = true
		b.log.Warnings = append(b.log.Warnings, w)
	}
}

func (b *builder) named(tid int, comm string) {
	if comm != "" && b.comms[tid] != comm {
		b.comms[tid] = strings.Clone(comm)
	}
}

// rename gives the lines of one thread to another.
func (b *builder) rename(from, to int) {
	for i := range b.raws {
		if b.raws[i].tid == from {
			b.raws[i].tid = to
		}
	}
	b.named(to, b.comms[from])
	delete(b.kept.touched, from)
	maps.DeleteFunc(b.kept.other, func(k [2]int, _ *other) bool { return k[0] == from })
}

// finish builds the calls: state changes in the order in which calls returned, the result in
// the order in which they began.
func (b *builder) finish() *Log {
	slices.SortStableFunc(b.raws, func(x, y raw) int { return cmp.Compare(x.moment(), y.moment()) })
	b.log.Calls = make([]*event.Call, 0, b.kept.calls)
	b.made = make([]*socket, 0, b.kept.calls)
	for i := range b.raws {
		r := &b.raws[i]
		p := b.process(r.tid)
		switch r.kind {
		case lineOther:
		case lineEnded:
			b.died[r.tid] = r.death()
			b.ended(p, r)
		default:
			handlers[r.name](b, p, r, split(r.args()))
		}
		if p.last = max(p.last, r.start); !r.atMost {
			p.last = max(p.last, r.end)
		}
		r.text = "" // no longer needed: the calls take its place
	}
	b.raws = nil
	b.fillIn()
	b.abandoned()
	slices.SortStableFunc(b.log.Calls, func(x, y *event.Call) int { return cmp.Compare(x.Start, y.Start) })
	if b.blind > 0 {
		b.warn("%d calls left out: the log does not say what their descriptors are (strace -yy)", b.blind)
	}
	return &b.log
}

// abandoned says of the calls that did not return which of them the end of their thread cut off.
func (b *builder) abandoned() {
	for _, c := range b.log.Calls {
		d, ok := b.died[c.TID]
		if c.End != 0 || !ok || d.at < c.Start {
			continue
		}
		by := d.name + " " + d.how
		if d.name == "kill" {
			c.Signal, by = d.how, d.how
		}
		c.Abandoned, c.Note = d.at, "did not return: "+by+" ended its thread"
	}
}

// death says how the thread ended whose end r is.
func (r *raw) death() death {
	if killed, ok := strings.CutPrefix(r.ret(), "killed by "); ok {
		signal, _, _ := strings.Cut(killed, " ")
		return death{r.start, "kill", strings.Clone(signal)}
	}
	return death{r.start, "exit", strings.Clone(strings.TrimPrefix(r.ret(), "exited with "))}
}

// moment is when a call took effect, for the order of state changes. closes count from their
// start: the descriptor is free before they return.
func (r *raw) moment() event.Time {
	if r.end == 0 || r.name == "close" {
		return r.start
	}
	return r.end
}

// process returns the process of a thread. A thread of which no clone was seen is a process of
// its own.
func (b *builder) process(tid int) *process {
	p := b.procs[tid]
	if p == nil {
		p = &process{pid: tid, sockets: map[int]*socket{}, threads: 1}
		b.procs[tid] = p
	}
	return p
}

// cloned registers the thread or process that a clone or fork made.
func cloned(b *builder, p *process, r *raw, args []string) {
	tid, _, ok := number(r.ret())
	if !ok || tid <= 0 || b.procs[int(tid)] != nil && b.procs[int(tid)].last != 0 {
		return
	}
	flags := strings.Join(args, ",")
	if strings.Contains(flags, "CLONE_THREAD") {
		p.threads++
		b.procs[int(tid)] = p
		return
	}
	child := &process{pid: int(tid), threads: 1, sockets: map[int]*socket{}}
	for fd, s := range p.sockets {
		child.sockets[fd] = s
	}
	if strings.Contains(flags, "CLONE_FILES") {
		child.sockets = p.sockets
	}
	b.procs[int(tid)] = child
	if b.comms[int(tid)] == "" {
		b.named(int(tid), b.comms[p.pid])
	}
}

// execed names the process after its program. Descriptors that the exec closed show up as other
// files, or not at all.
func execed(b *builder, p *process, r *raw, args []string) {
	if r.ret() == "0" && len(args) > 0 {
		b.named(p.pid, path.Base(unquote(args[0])))
	}
}

// ended closes what the process still held when its last thread ends.
func (b *builder) ended(p *process, r *raw) {
	p.threads--
	if p.threads > 0 {
		return
	}
	died := b.died[r.tid]
	seen := map[*socket]bool{}
	for _, fd := range sortedFDs(p.sockets) {
		s := p.sockets[fd]
		if s == nil || seen[s] {
			continue
		}
		seen[s] = true
		e := b.call(p, r, fd, s)
		e.Name, e.Args, e.Ret, e.Errno = died.name, died.how, 0, ""
		e.Start = min(p.last, e.End) // the clock may have been set back, or a call says it took longer
		e.Syscall = ""
		b.deliver(e, s)
	}
	p.sockets = map[int]*socket{}
}

func sortedFDs(m map[int]*socket) []int {
	fds := make([]int, 0, len(m))
	for fd := range m {
		fds = append(fds, fd)
	}
	slices.Sort(fds)
	return fds
}

// at returns the TCP socket that a descriptor is; nil when it is none, or when nobody knows.
func (b *builder) at(p *process, d descriptor) *socket {
	s, known := p.sockets[d.fd]
	switch {
	case d.annotated && !d.tcp:
		s = nil
	case d.tcp:
		s = b.identify(s, d)
	case !known:
		b.blind++
		return nil
	}
	p.sockets[d.fd] = s
	return s
}

// identify returns the socket that an annotation describes. s is what the descriptor was before,
// nil when that is not known.
func (b *builder) identify(s *socket, d descriptor) *socket {
	switch {
	case d.remote.IsValid():
		if s != nil && (!s.remote.IsValid() || s.remote == d.remote) && (!s.bound() || s.local == d.local) {
			break
		}
		if s = b.conns[[2]netip.AddrPort{d.local, d.remote}]; s == nil {
			s = &socket{}
		}
	case d.local.IsValid():
		if s == nil || s.remote.IsValid() {
			s = &socket{}
		}
	default: // unconnected, or no longer connected
		if s == nil || s.inode != 0 && s.inode != d.inode {
			s = &socket{}
		}
		s.inode = d.inode
		return s
	}
	s.local = d.local
	if d.remote.IsValid() {
		s.remote = d.remote
		b.conns[[2]netip.AddrPort{s.local, s.remote}] = s
	}
	return s
}

// bound reports whether the socket's own address is known whole.
func (s *socket) bound() bool {
	return s.local.IsValid() && s.local.Port() != 0 && !s.local.Addr().IsUnspecified()
}

// call begins the description of a call.
func (b *builder) call(p *process, r *raw, fd int, s *socket) event.Call {
	e := event.Call{
		Actor: b.actor(p), PID: p.pid, TID: r.tid, FD: fd, Name: r.name, Syscall: r.name,
		Start: r.start, End: r.end, RecvQ: -1, Signal: r.signal,
	}
	if s != nil {
		e.Local, e.Remote = s.local, s.remote
	}
	e.Ret, e.Errno, _ = number(r.ret())
	if r.end == 0 && r.kind != lineEnded {
		e.Ret, e.Note = -1, "did not return before the log ended"
	}
	return e
}

func (b *builder) actor(p *process) string {
	switch comm := b.comms[p.pid]; {
	case p.pid == 0 && comm != "":
		return comm
	case p.pid == 0:
		return "process"
	case comm != "":
		return fmt.Sprintf("%s[%d]", comm, p.pid)
	}
	return fmt.Sprintf("pid %d", p.pid)
}

// deliver keeps a call, unless it is noise.
func (b *builder) deliver(e event.Call, s *socket) {
	if e.Errno == "EAGAIN" && !b.opts.AllCalls {
		b.log.Folded++
		return
	}
	if e.Syscall == e.Name {
		e.Syscall = ""
	}
	e.Actor, e.Args, e.Errno = b.shared(e.Actor), b.shared(e.Args), b.shared(e.Errno)
	e.Text = strings.Clone(e.Text)
	b.log.Calls = append(b.log.Calls, &e)
	b.made = append(b.made, s)
}

// fillIn adds the address that a connect chose: only later calls showed it.
func (b *builder) fillIn() {
	for i, s := range b.made {
		e := b.log.Calls[i]
		if s == nil || !e.Remote.IsValid() || s.remote != e.Remote || !s.bound() {
			continue
		}
		if !e.Local.IsValid() || e.Local.Addr().IsUnspecified() {
			e.Local = s.local
		}
	}
}

// number reads a result: "5", "0x10", "-1 EPIPE (Broken pipe)", "? ERESTARTSYS (…)", "5<TCP:…>".
func number(ret string) (n int64, errno string, ok bool) {
	word, rest, _ := strings.Cut(ret, " ")
	word, _, _ = strings.Cut(word, "<")
	if word == "?" || word == "-1" {
		errno, _, _ = strings.Cut(rest, " ")
		return -1, errno, word == "-1" && errno != ""
	}
	n, err := strconv.ParseInt(word, 0, 64)
	return n, "", err == nil
}
