//go:build amd64 || arm64

package bpf

import (
	"bytes"
	_ "embed"
	"fmt"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

//go:embed calls.bpf.o
var callsObject []byte

// Calls tells of the socket calls of processes. It is used by one goroutine.
type Calls struct {
	Attached
	decoder callDecoder
}

// callKinds are the system calls that are followed.
var callKinds = map[int]CallKind{
	unix.SYS_SOCKET: SocketCall, unix.SYS_CONNECT: ConnectCall, unix.SYS_ACCEPT: AcceptCall, unix.SYS_ACCEPT4: AcceptCall,
	unix.SYS_CLOSE: CloseCall, unix.SYS_SHUTDOWN: OptionCall, unix.SYS_LISTEN: OptionCall, unix.SYS_BIND: OptionCall,
	unix.SYS_SETSOCKOPT: OptionCall,
	unix.SYS_WRITE:      SendCall, unix.SYS_WRITEV: SendCall, unix.SYS_PWRITEV2: SendCall, unix.SYS_SENDTO: SendCall,
	unix.SYS_SENDMSG: SendCall, unix.SYS_SENDMMSG: SendCall, unix.SYS_SENDFILE: SendCall,
	unix.SYS_READ: RecvCall, unix.SYS_READV: RecvCall, unix.SYS_PREADV2: RecvCall, unix.SYS_RECVFROM: RecvCall,
	unix.SYS_RECVMSG: RecvCall, unix.SYS_RECVMMSG: RecvCall,
	unix.SYS_SPLICE: SpliceCall,
}

// OpenCalls loads the programs and attaches them; they follow nobody yet. It needs what Open does,
// and Follow does on kernels before 5.19.
func OpenCalls() (*Calls, error) {
	c, err := openCalls()
	if err != nil {
		return nil, explain(err)
	}
	return c, nil
}

func openCalls() (*Calls, error) {
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(callsObject))
	if err != nil {
		return nil, fmt.Errorf("read programs: %w", err)
	}
	if err := checkLayouts(spec.Types, callLayouts()); err != nil {
		return nil, err
	}
	if _, err := btf.LoadKernelSpec(); err != nil {
		return nil, fmt.Errorf("read kernel types: %w", err)
	}
	var kinds [512]CallKind
	for nr, kind := range callKinds {
		kinds[nr] = kind
	}
	if err := spec.Variables["kinds"].Set(kinds); err != nil {
		return nil, fmt.Errorf("set kinds: %w", err)
	}
	c := &Calls{decoder: callDecoder{decoder: decoder{call: callName, errno: errnoName}}}
	if c.programs, err = ebpf.NewCollection(spec); err != nil {
		return nil, fmt.Errorf("load programs: %w", err)
	}
	err = c.attach()
	if err == nil && c.noHolders != nil {
		err = fmt.Errorf("attach holders: %w", c.noHolders)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func callLayouts() map[string]any {
	return map[string]any{"call": rawCall{}, "step": rawStep{}, "exit": rawExit{}, "departure": rawDeparture{}, "look": rawLook{}, "task": rawTask{}, "holder": rawHolder{}}
}

// Follow follows a process from now on, and its children from their birth on.
func (c *Calls) Follow(pid int) error {
	if err := c.programs.Maps["followed"].Put(uint32(pid), uint8(1)); err != nil {
		return fmt.Errorf("follow process %d: %w", pid, err)
	}
	return nil
}

// Forget says that a process is gone: its number may come again.
func (c *Calls) Forget(pid int) {
	// A kernel that refuses this without privileges would follow whoever gets the number next.
	_ = c.programs.Maps["followed"].Delete(uint32(pid))
}

// Use says that a socket belongs to those who are followed: its changes of state are told.
func (c *Calls) Use(cookie uint64) error {
	if err := c.programs.Maps["used"].Put(cookie, uint8(1)); err != nil {
		return fmt.Errorf("follow socket: %w", err)
	}
	return nil
}

// Poll hands over what is told within d. It may return earlier.
func (c *Calls) Poll(d time.Duration, each func(Followed)) error {
	c.decoder.offset = clockOffset()
	return c.poll(d, func(b []byte) error {
		f, err := c.decoder.decode(b)
		if err == nil {
			each(f)
		}
		return err
	})
}

// Running returns the calls that have not returned.
func (c *Calls) Running() []*Call {
	var calls []*Call
	var tid uint32
	var raw rawCall
	// A kernel that refuses this without privileges tells of none.
	for it := c.programs.Maps["running"].Iterate(); it.Next(&tid, &raw); {
		raw.End = 0
		calls = append(calls, c.decoder.toCall(&raw))
	}
	return calls
}
