package bpf

import (
	"bytes"
	_ "embed"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
)

//go:embed closecap.bpf.o
var object []byte

// Endings tells how connections end. It is used by one goroutine.
type Endings struct {
	Attached
	decoder decoder
	lacks   []string
}

// Open loads the programs and attaches them. It needs CAP_BPF and CAP_PERFMON in the initial user
// namespace; what it opened works on without. Errors are os.ErrPermission and
// errors.ErrUnsupported, with a hint.
func Open(opt Options) (*Endings, error) {
	if !mayLoad() || inUserNamespace() {
		return nil, explain(os.ErrPermission)
	}
	s, err := open(opt)
	if err != nil {
		return nil, explain(err)
	}
	return s, nil
}

func open(opt Options) (*Endings, error) {
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(object))
	if err != nil {
		return nil, fmt.Errorf("read programs: %w", err)
	}
	if err := checkLayouts(spec.Types, watchLayouts()); err != nil {
		return nil, err
	}
	types, err := btf.LoadKernelSpec()
	if err != nil {
		return nil, fmt.Errorf("read kernel types: %w", err)
	}
	for name, value := range map[string]any{
		"only_netns": opt.Netns, "only_port": uint32(opt.Port), "only_cgroup": opt.Cgroup,
	} {
		if err := spec.Variables[name].Set(value); err != nil {
			return nil, fmt.Errorf("set %s: %w", name, err)
		}
	}
	s := &Endings{decoder: decoder{call: callName, errno: errnoName}}
	s.choose(spec, types)
	if s.programs, err = ebpf.NewCollection(spec); err != nil {
		return nil, fmt.Errorf("load programs: %w", err)
	}
	if err := s.attach(); err != nil {
		s.Close()
		return nil, err
	}
	if s.noHolders != nil {
		s.lacks = append(s.lacks, "not known is who holds a socket: "+s.noHolders.Error())
	}
	return s, nil
}

// tracepoints are the programs with the fact that is lost where the kernel lacks one's tracepoint.
var tracepoints = []struct{ program, tracepoint, lost string }{
	{"set_state", "inet_sock_set_state", ""},
	{"send_reset", "tcp_send_reset", "who sends RST, and why"},
	{"receive_reset", "tcp_receive_reset", "when an RST arrives"},
	{"error_report", "inet_sk_error_report", "an ICMP error that a program has asked for"},
	{"destroy_sock", "tcp_destroy_sock", "who held a socket that the peer ended"},
}

const unexplained = "send_reset_unexplained"

// choose leaves in spec what the kernel has, and notes what is lost.
func (s *Endings) choose(spec *ebpf.CollectionSpec, types *btf.Spec) {
	for _, t := range tracepoints {
		if t.lost != "" && arguments(types, t.tracepoint) < 0 {
			delete(spec.Programs, t.program)
			s.lacks = append(s.lacks, fmt.Sprintf("this kernel has no tracepoint %s: not known is %s", t.tracepoint, t.lost))
		}
	}
	n := arguments(types, "tcp_send_reset")
	if n < 0 || n >= 3 {
		delete(spec.Programs, unexplained)
	}
	if n >= 0 && n < 3 {
		delete(spec.Programs, "send_reset")
		s.lacks = append(s.lacks, "this kernel gives no reason for an RST (6.10 and later do): it is told from the circumstances, and an RST without a socket is not seen")
	}
	s.decoder.reasons = reasons(types)
}

// arguments returns how many arguments a tracepoint has, -1 where there is none.
func arguments(types *btf.Spec, tracepoint string) int {
	var def *btf.Typedef
	if err := types.TypeByName("btf_trace_"+tracepoint, &def); err != nil {
		return -1
	}
	if ptr, ok := def.Type.(*btf.Pointer); ok {
		if proto, ok := ptr.Target.(*btf.FuncProto); ok {
			return len(proto.Params) - 1 // the first is the tracepoint's own
		}
	}
	return -1
}

// Poll hands over the events that come within d. It may return earlier.
func (s *Endings) Poll(d time.Duration, each func(event.KernelEvent)) error {
	s.decoder.offset = clockOffset()
	return s.poll(d, func(b []byte) error {
		k, err := s.decoder.decode(b)
		if err == nil {
			each(k)
		}
		return err
	})
}

// clockOffset returns CLOCK_REALTIME minus CLOCK_MONOTONIC in nanoseconds. A busy machine may stop this
// thread between two looks at the clocks: of some tries the shortest counts.
func clockOffset() int64 {
	var mono unix.Timespec
	var offset int64
	for best, try := time.Duration(math.MaxInt64), 0; try < 5 && best > 2*time.Microsecond; try++ {
		before := time.Now()
		_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &mono) // it cannot fail
		if took := time.Since(before); took < best {
			best, offset = took, before.UnixNano()+int64(took/2)-mono.Nano()
		}
	}
	return offset
}

// Lacks says what this kernel can't tell, a sentence each.
func (s *Endings) Lacks() []string { return s.lacks }
