package pcapfile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/closecap/closecap/analyze/event"
)

// FileError says where a file broke. What was read before it is good.
type FileError struct {
	File         string
	Offset       int64 // byte offset of the record or header that broke
	Decompressed bool  // Offset counts what the file was decompressed to
	What         string
	Err          error // nil when What says everything
}

func (e *FileError) Error() string {
	place := ""
	if e.Decompressed {
		place = " decompressed"
	}
	s := fmt.Sprintf("read %s: byte %d%s: %s", e.File, e.Offset, place, e.What)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *FileError) Unwrap() error { return e.Err }

type progress struct{ read, total atomic.Int64 }

// file is one file of a timeline.
type file struct {
	pending
	reader *Reader

	closers      []func()
	interfaces   int // how many it has described
	source       *source
	decompressed bool
	format       format
	rec          Record // the next one
}

// format reads the records of one kind of file.
type format interface {
	// next sets all of rec.Packet, or makes rec an entry and fills that in. io.EOF is a clean
	// end.
	next(rec *Record) error
}

// open finds out what the file is. Its buffers are of size bytes.
func (f *file) open(size int) error {
	in, err := f.input()
	if err != nil {
		return err
	}
	counted := &counter{r: in, n: &f.reader.progress.read}
	f.source = newSource(counted, f.reader.buffer(size))
	f.rec.File = f.path
	if err := f.decompress(counted, size); err != nil {
		return err
	}
	return f.sniff()
}

// input is what the file is read from.
func (f *file) input() (io.Reader, error) {
	r := f.reader
	if in, stalls := f.stdin.(*os.File); stalls && r.done != nil {
		widen(in)
		return newInterruptible(io.NopCloser(in), r.done, r.hasStalled), nil
	}
	if f.stdin != nil {
		return f.stdin, nil
	}
	if f.stream && r.done != nil {
		return newInterruptible(&late{path: f.path}, r.done, r.hasStalled), nil
	}
	h, err := r.handles.take(f.path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.path, err)
	}
	f.closers = append(f.closers, h.close)
	return h, nil
}

func (f *file) close() {
	for i := len(f.closers) - 1; i >= 0; i-- {
		f.closers[i]()
	}
	if f.source != nil {
		f.reader.spare(f.source.buf)
	}
	f.closers, f.source, f.format, f.rec.Packet.Data = nil, nil, nil, nil
}

func (f *file) load() error {
	rec := &f.rec
	if rec.Journal {
		*rec = Record{File: f.path, FileFrame: rec.FileFrame}
	}
	rec.FileFrame++
	return f.format.next(rec)
}

// entry makes rec one that is no packet.
func (rec *Record) entry() { rec.Packet, rec.Journal = event.Packet{}, true }

// fail places what went wrong at the record that begins at the source's position.
func (f *file) fail(err error, format string, args ...any) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return &FileError{
		File: f.path, Offset: f.source.offset(), Decompressed: f.decompressed,
		What: fmt.Sprintf(format, args...), Err: err,
	}
}

// short says why not even the first bytes are there.
func (f *file) short(err error) error {
	switch err {
	case io.EOF:
		return f.fail(nil, "the file is empty")
	case io.ErrUnexpectedEOF:
		return f.fail(err, "too short for a capture")
	}
	return f.fail(err, "file header")
}

// sniff chooses the format by the first four bytes.
func (f *file) sniff() error {
	b, err := f.source.peek(4)
	if err != nil {
		return f.short(err)
	}
	if binary.LittleEndian.Uint32(b) == blockSection {
		f.format = &pcapng{file: f}
		return nil
	}
	if magic, order := pcapMagic(b); magic != 0 {
		f.format, err = newPcap(f, magic, order)
		return err
	}
	return f.fail(nil, "%s", foreign(b))
}

// foreign says what a file is that is no capture.
func foreign(b []byte) string {
	for _, k := range []struct{ magic, name string }{
		{"\x1f\x8b", "compressed twice (gzip inside)"},
		{"\x28\xb5\x2f\xfd", "compressed twice (zstd inside)"},
		{"\xfd7zX", "compressed with xz, which is not supported"},
		{"BZh", "compressed with bzip2, which is not supported"},
		{"\x04\x22\x4d\x18", "compressed with lz4, which is not supported"},
		{"snoo", "a snoop file, not pcap or pcapng"},
		{"PK\x03\x04", "a zip archive, not pcap or pcapng"},
	} {
		if bytes.HasPrefix(b, []byte(k.magic)) {
			return k.name
		}
	}
	return fmt.Sprintf("not a pcap or pcapng file (it starts with % x)", b[:4])
}

// probe returns the time of a file's first frame, 0 when it has none or is broken: then its
// turn comes first, and the error with it.
func probe(path string) event.Time {
	f := &file{pending: pending{path: path}, reader: &Reader{}}
	defer f.close()
	if f.open(minBuffer) != nil || f.load() != nil {
		return 0
	}
	return f.rec.Packet.Time
}

// counter counts what passes for Progress.
type counter struct {
	r io.Reader
	n *atomic.Int64
	// mine is this file's part of n, which all files share.
	mine int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.mine += int64(n)
	c.n.Add(int64(n))
	return n, err
}
