// Package pcapfile reads pcap and pcapng files, plain, gzip or zstd, as one stream of packets
// and recorded calls, and writes the pcapng that is a recording.
//
// It understands no packet (package decode does) and holds no file: a record's bytes lie in
// the read buffer until the next record is asked for. No length field in a file makes it
// allocate more than the bytes that are really there.
//
// Frames are counted as Wireshark counts them: packets, systemd journal entries and custom blocks,
// 1-based.
// Several files are one timeline, merged by time, and their frames are counted on through it
// as in what mergecap would write; Record says which file a frame came from, and where in it.
//
// A recording is a pcapng in which each call is a systemd Journal Export Block: MESSAGE is the
// call as strace would write it, CLOSECAP_CALL the event.Call as one line of JSON. The last
// block's CLOSECAP_RUN holds the event.Run with its expectations, MESSAGE the verdict in words. What
// the kernel told is a CLOSECAP_KERNEL each, an event.KernelEntry, after all packets and calls: a recording of
// closecap watch holds nothing else, and begins with the entry that says so.
//
// Instead of gopacket/pcapgo, whose pcapng reader allocates what a block's length says, knows
// no journal, simple or obsolete packet blocks, and cannot name the byte where a file breaks.
package pcapfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/closecap/closecap/analyze/event"
)

// Options of a Reader. The zero value reads everything.
type Options struct {
	// Keep, when set, is asked for every packet; those it refuses are counted as frames and
	// left out. It must not hold on to the packet.
	Keep func(*event.Packet) bool

	// MaxExpansion is how many times larger than the file its content may be, once that is
	// more than a gigabyte. 0 means 5000, negative means no bound.
	MaxExpansion int64

	// Absent lets Next tell of a file that is not there, as of one that is damaged, instead of Open. It
	// is for lists that are not of what somebody has just named.
	Absent bool
}

// Record is one frame and where it stands; it is valid until the next.
type Record struct {
	event.Record        // its Call is valid until the next, too
	File         string // the path it was read from
	FileFrame    uint64 // 1-based position in that file
}

// Interface is where packets of a file were captured.
type Interface struct {
	File     string
	Name     string
	Filter   string
	LinkType uint16
	SnapLen  uint32 // 0 means no limit
	Dropped  uint64 // packets that the capture lost here, as far as the file says
}

// What files of nothing but interface descriptions may cost: the interfaces of each, those of all, and
// the bytes of their names and filters, of which rotated files repeat the same.
const (
	maxInterfaces    = 1 << 16
	maxAllInterfaces = 1 << 22
	maxNames         = 16 << 20
)

// Reader reads one timeline from files. It is for one goroutine, but for Progress.
type Reader struct {
	opt        Options
	waiting    []pending // not opened yet, by time of their first frame once that is known
	known      bool
	open       merged
	last       *file // whose record was handed out: the top of open
	handles    handles
	unused     []byte // a buffer of a file that has ended
	frame      uint64
	files      int
	origins    origins
	interfaces []Interface
	names      map[string]string // of interfaces, each once
	nameBytes  int
	calls      int // so far, and how many bytes they took
	callText   int
	callReader callReader
	progress   progress
	first      *looked         // by First, not handed out yet
	done       <-chan struct{} // ends a read of what may stall; set with cancel, by First or Records
	cancel     context.CancelFunc
	stalled    func() bool // called when what is read stalls, false ends the read; set by Records
}

// Open opens the files of one timeline; "-" is stdin. Files that can't be opened fail here;
// what is wrong inside one is told by Next when its turn comes, which is the first to look into them.
func Open(paths []string, stdin io.Reader, opt Options) (*Reader, error) {
	r := &Reader{opt: opt, waiting: make([]pending, len(paths)), files: len(paths)}
	for i, path := range paths {
		f := &r.waiting[i]
		*f = pending{path: path, index: i}
		if path == "-" {
			if stdin == nil {
				return nil, errors.New("read -: standard input can be read only once")
			}
			f.stdin, stdin = stdin, nil
			continue
		}
		info, err := os.Stat(path)
		if err == nil && info.IsDir() {
			err = errors.New("is a directory")
		}
		switch {
		case err != nil && opt.Absent:
		case err != nil:
			return nil, fmt.Errorf("read %s: %w", path, cause(err))
		case !info.Mode().IsRegular():
			f.stream = true
		default:
			r.progress.total.Add(info.Size())
		}
	}
	return r, nil
}

// arrange looks at the first frame of each file, and puts the files in the order of those.
func (r *Reader) arrange() error {
	r.known = true
	if len(r.waiting) < 2 {
		return nil
	}
	for i := range r.waiting {
		select {
		case <-r.done:
			return context.Canceled
		default:
		}
		if f := &r.waiting[i]; f.stdin == nil && !f.stream {
			f.start = probe(f.path)
		}
	}
	slices.SortStableFunc(r.waiting, pending.compare)
	return nil
}

// NewReader reads one capture from a stream; name stands for it in errors.
func NewReader(stream io.Reader, name string, opt Options) *Reader {
	return &Reader{opt: opt, waiting: []pending{{path: name, stdin: stream}}, files: 1}
}

// cause strips the path that os errors repeat.
func cause(err error) error {
	if e := (*os.PathError)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}

// Next returns the next record in time; it is valid until the following call. io.EOF is the
// end. Any other error, a *FileError mostly, ends one file: calling on reads the others.
func (r *Reader) Next() (*Record, error) {
	if f := r.first; f != nil {
		r.first = nil
		return f.rec, f.err
	}
	for {
		if err := r.advance(); err != nil {
			return nil, err
		}
		f := r.last
		if f == nil || len(r.open) > 1 || len(r.waiting) > 0 {
			var err error
			if f, err = r.turn(); err != nil {
				return nil, err
			}
			r.origins.follow(f, r.frame+1)
		}
		r.frame++
		rec := &f.rec
		rec.Packet.Frame = r.frame
		if rec.Call != nil {
			rec.Call.ID = int(r.frame)
		}
		if r.opt.Keep == nil || rec.Journal || r.opt.Keep(&rec.Packet) {
			return rec, nil
		}
	}
}

// advance loads the record after the one that was handed out.
func (r *Reader) advance() error {
	f := r.last
	if f == nil {
		return nil
	}
	err := f.load()
	if err == nil {
		r.open.renew()
		return nil
	}
	r.last = nil
	r.open.pop()
	f.close()
	if err == io.EOF {
		return nil
	}
	return err
}

// turn finds the file whose record is next.
func (r *Reader) turn() (*file, error) {
	r.last = nil
	if !r.known {
		if err := r.arrange(); err != nil {
			return nil, err
		}
	}
	for len(r.waiting) > 0 && (len(r.open) == 0 || r.waiting[0].start <= r.open[0].time) {
		next := r.waiting[0]
		r.waiting[0] = pending{}
		r.waiting = r.waiting[1:]
		if err := r.start(next); err != nil {
			return nil, err
		}
	}
	if len(r.open) == 0 {
		return nil, io.EOF
	}
	r.last = r.open[0].file
	return r.last, nil
}

func (r *Reader) start(p pending) error {
	f := &file{pending: p, reader: r}
	err := f.open(r.bufferFor())
	if err == nil {
		err = f.load()
	}
	if err == nil {
		r.open.push(f)
		return nil
	}
	f.close()
	if err == io.EOF {
		return nil
	}
	return err
}

// name returns s as it was seen first; once there is too much of names, they are left out.
func (r *Reader) name(s string) string {
	if s == "" {
		return ""
	}
	if had, ok := r.names[s]; ok {
		return had
	}
	if r.nameBytes += len(s); r.nameBytes > maxNames {
		return ""
	}
	if r.names == nil {
		r.names = map[string]string{}
	}
	r.names[s] = s
	return s
}

// Interfaces returns what is known so far of the interfaces that packets refer to.
func (r *Reader) Interfaces() []Interface { return r.interfaces }

// LinkTypes returns the link types of the interfaces so far, each once.
func (r *Reader) LinkTypes() (types []uint16) {
	for i := range r.interfaces {
		if t := r.interfaces[i].LinkType; !slices.Contains(types, t) {
			types = append(types, t)
		}
	}
	return types
}

// Dropped returns how many packets the captures say they lost, as far as was read.
func (r *Reader) Dropped() uint64 {
	var n uint64
	for i := range r.interfaces {
		n += r.interfaces[i].Dropped
	}
	return n
}

// Progress returns how many bytes of the files were read, before decompression, and of how
// many; total is 0 when that is not known. It may be called from any goroutine.
func (r *Reader) Progress() (read, total int64) {
	return r.progress.read.Load(), r.progress.total.Load()
}

// Close gives up the files. The Reader is of no use afterwards.
func (r *Reader) Close() {
	if r.cancel != nil {
		r.cancel()
	}
	for _, e := range r.open {
		e.file.close()
	}
	r.open, r.waiting, r.last = nil, nil, nil
}
