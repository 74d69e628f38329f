//go:build amd64 || arm64

package follow

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/bpf"
	"github.com/closecap/closecap/capture/hint"
	"github.com/closecap/closecap/capture/kernel"
	"github.com/closecap/closecap/capture/trace"
)

// Follower follows processes. It is used by one goroutine.
type Follower struct {
	opt     Options
	source  *bpf.Calls
	sockets map[uint64]*socket        // by cookie
	early   map[descriptor]*socket    // of which no cookie is known yet
	closing []*closing                // that are not known to be over
	actors  map[int]string            // by process
	alive   map[int]bool              // processes, as far as they were seen
	left    map[int][]event.Departure // in the call that a thread is in
	gone    map[int]event.Time        // since when: what they closed is told after their end
	own     bool                      // this process starts what is followed
	result  Result
}

type descriptor struct{ pid, fd int }

// Open loads what follows. It needs CAP_BPF and CAP_PERFMON.
func Open(opt Options) (*Follower, error) {
	if kernel.InPIDNamespace() {
		return nil, hint.With(fmt.Errorf("follow programs in a process namespace of their own: %w", errors.ErrUnsupported),
			"the kernel tells of processes by the numbers that they have outside; run closecap there, or use --evidence ptrace")
	}
	source, err := bpf.OpenCalls()
	if err != nil {
		return nil, err
	}
	return &Follower{
		opt: opt, source: source, sockets: map[uint64]*socket{}, early: map[descriptor]*socket{},
		actors: map[int]string{}, alive: map[int]bool{}, gone: map[int]event.Time{}, left: map[int][]event.Departure{},
	}, nil
}

// checkNamespace refuses a process whose network is another: its packets would not be captured here. Of one
// that may not be looked into nothing is known.
func checkNamespace(pid int) error {
	own, err := bpf.Netns("self")
	if err != nil {
		return err
	}
	if its, err := bpf.Netns(strconv.Itoa(pid)); err == nil && its != own {
		return hint.With(fmt.Errorf("follow process %d: it is in another network namespace", pid),
			fmt.Sprintf("nsenter --net --target %d closecap trace -p %d", pid, pid))
	}
	return nil
}

// Close ends the following.
func (f *Follower) Close() error { return f.source.Close() }

// Follow follows running processes, their children, and the sockets that they have. It goes with the
// capabilities of Open.
func (f *Follower) Follow(pids []int) error {
	for _, pid := range pids {
		if !runs(pid) {
			return fmt.Errorf("follow process %d: %w", pid, syscall.ESRCH)
		}
		if err := checkNamespace(pid); err != nil {
			return err
		}
		if err := f.source.Follow(pid); err != nil {
			return err
		}
	}
	// Whoever is born from here on is followed from birth.
	family, err := descendants(pids)
	if err != nil {
		return err
	}
	for _, pid := range family {
		if err := f.source.Follow(pid); err != nil {
			return err
		}
		f.alive[pid] = true
	}
	f.result.Processes = len(f.alive)
	return f.adopt()
}

// FollowChildren follows what this process starts until stop is called.
func (f *Follower) FollowChildren() (stop func(), err error) {
	if err := f.source.Follow(os.Getpid()); err != nil {
		return nil, err
	}
	f.own = true
	return func() { f.source.Forget(os.Getpid()) }, nil
}

// adopt finds the sockets that the processes have already. To list them makes the kernel give each a
// cookie.
func (f *Follower) adopt() error {
	diag, err := kernel.OpenDiag()
	if err != nil {
		return err
	}
	defer diag.Close()
	all, err := diag.List()
	if err != nil {
		return err
	}
	holders, err := f.source.Holders()
	if err != nil {
		return err
	}
	for i := range all {
		n := &all[i]
		if !slices.ContainsFunc(holders[n.Cookie], func(t event.Task) bool { return f.alive[t.PID] }) {
			continue
		}
		if err := f.source.Use(n.Cookie); err != nil {
			return err
		}
		s := f.socket(n.Cookie)
		s.local, s.remote, s.state, s.listening = n.Local, n.Remote, n.State, n.State == event.Listen
		f.announce(s)
	}
	return nil
}

// descendants returns the processes and all that descend from them.
func descendants(pids []int) ([]int, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	children := map[int][]int{}
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			children[parentOf(pid)] = append(children[parentOf(pid)], pid)
		}
	}
	family := slices.Clone(pids)
	for i := 0; i < len(family); i++ {
		for _, child := range children[family[i]] {
			if !slices.Contains(family, child) {
				family = append(family, child)
			}
		}
	}
	return family, nil
}

// parentOf returns 0 for a process that ended.
func parentOf(pid int) int {
	_, parent := status(pid)
	return parent
}

// runs reports whether a process has not ended.
func runs(pid int) bool {
	state, _ := status(pid)
	return state != "" && state != "Z" && state != "X"
}

// status reads a process's state and parent, as proc_pid_stat(5) has them.
func status(pid int) (state string, parent int) {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	// The name in parentheses may hold anything.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 2 {
		return "", 0
	}
	parent, _ = strconv.Atoi(fields[1])
	return fields[0], parent
}

// Poll hears what the kernel tells within d. What it delivers is told with the calls that it concerns.
func (f *Follower) Poll(d time.Duration) error {
	err := f.source.Poll(d, f.take)
	now := event.Time(time.Now().UnixNano())
	f.settle(now)
	for pid, since := range f.gone {
		if now.Sub(since) > lingering {
			f.forget(pid)
		}
	}
	return err
}

// forget lets go of a process that is gone.
func (f *Follower) forget(pid int) {
	f.source.Forget(pid)
	delete(f.gone, pid)
	delete(f.actors, pid)
	for key := range f.early {
		if key.pid == pid {
			delete(f.early, key)
		}
	}
}

const (
	// lingering is how long after its exit a process may yet be closing its descriptors.
	lingering = time.Second
	// settling is when a close by implication is taken for done, though nothing more was heard of it.
	settling = 100 * time.Millisecond
)

func (f *Follower) take(e bpf.Followed) {
	switch {
	case e.Call != nil:
		f.born(e.Call.PID)
		f.call(e.Call)
	case e.Step != nil:
		f.step(e.Step)
	case e.Depart != nil:
		f.departs(e.Depart)
	case e.Exit != nil:
		delete(f.alive, e.Exit.PID)
		f.gone[e.Exit.PID] = e.Exit.Time
	}
}

func (f *Follower) born(pid int) {
	if _, gone := f.gone[pid]; !gone && !f.alive[pid] {
		f.alive[pid] = true
		f.result.Processes++
		if f.own {
			f.unprivileged(trace.WithheldFrom(pid))
		}
	}
}

// Starts tells the Follower which program this process is about to start.
func (f *Follower) Starts(path string) { f.unprivileged(trace.WithheldByFile(path)) }

// unprivileged says once of a program what it did not get.
func (f *Follower) unprivileged(w *trace.Withheld) {
	if w == nil || slices.Contains(f.result.Warnings, w.String()) {
		return
	}
	f.result.Warnings = append(f.result.Warnings, w.String())
	if f.opt.OnUnprivileged != nil {
		f.opt.OnUnprivileged(w.Program)
	}
}

// Alive returns how many processes still run that Follow was given or found, or that have made a socket call.
func (f *Follower) Alive() int { return len(f.alive) }

// Runs reports whether that process still does, of those that Alive counts.
func (f *Follower) Runs(pid int) bool { return f.alive[pid] }

// Finish delivers what has not returned, and says what became of it all.
func (f *Follower) Finish() Result {
	f.settle(1<<63 - 1)
	for _, c := range f.source.Running() {
		f.call(c)
	}
	if n := f.source.Losses().Total(); n > 0 {
		f.result.Warnings = append(f.result.Warnings, fmt.Sprintf("the kernel could not tell of %d events: calls are missing", n))
	}
	return f.result
}

// HowEnded returns a process's exit status, and the name of the signal that ended it, as trace.Result has them.
func HowEnded(state *os.ProcessState) (status int, signal string) {
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal()), unix.SignalName(ws.Signal())
	}
	return state.ExitCode(), ""
}

// actor names a process as package trace does.
func (f *Follower) actor(pid, tid int, comm string) string {
	if name := f.actors[pid]; name != "" {
		return name
	}
	if pid != tid { // comm is a thread's own
		if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); err == nil {
			comm = strings.TrimSpace(string(b))
		}
	}
	f.actors[pid] = fmt.Sprintf("%s[%d]", comm, pid)
	return f.actors[pid]
}

func (f *Follower) tell(s *socket, n trace.Socket) {
	if n == s.told {
		return
	}
	s.told = n
	f.opt.OnSocket(n)
}
