package pcapfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// ErrExpansion says that a compressed file holds suspiciously much more than its size.
var ErrExpansion = errors.New("decompresses beyond bounds")

const (
	maxWindow        = 128 << 20 // what `zstd -d` accepts, too
	expansionFree    = 1 << 30
	defaultExpansion = 5000 // zstd packs a repeated block 32,000 times, traffic rarely 100 times
)

// decompress puts the decompressor that the content asks for between the file and its source.
func (f *file) decompress(in *counter, size int) error {
	b, err := f.source.peek(4)
	if err != nil && len(b) < 2 {
		return f.short(err)
	}
	var out io.Reader
	switch {
	case bytes.HasPrefix(b, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(f.source)
		if err != nil {
			return f.fail(err, "gzip header")
		}
		f.closers = append(f.closers, func() { z.Close() })
		out = z
	case bytes.HasPrefix(b, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(f.source, zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return f.fail(err, "zstd header")
		}
		f.closers = append(f.closers, z.Close)
		out = z
	default:
		return nil
	}
	most := f.reader.opt.MaxExpansion
	if most == 0 {
		most = defaultExpansion
	}
	f.source = newSource(&expanding{r: out, in: in, most: most}, make([]byte, size))
	f.decompressed = true
	return nil
}

// expanding ends a stream that grows out of proportion to what it was made of.
type expanding struct {
	r    io.Reader
	in   *counter
	out  int64
	most int64
}

func (e *expanding) Read(b []byte) (int, error) {
	n, err := e.r.Read(b)
	e.out += int64(n)
	if e.most > 0 && e.out > expansionFree && e.out/e.most > e.in.mine {
		return n, fmt.Errorf("%w: %d bytes from %d", ErrExpansion, e.out, e.in.mine)
	}
	return n, err
}

// Read makes the source a reader for decompressors.
func (s *source) Read(b []byte) (int, error) {
	if s.lo == s.hi {
		if err := s.fill(1); err != nil {
			return 0, err
		}
	}
	n := copy(b, s.buf[s.lo:s.hi])
	s.skip(n)
	return n, nil
}

// ReadByte spares gzip a buffer of its own.
func (s *source) ReadByte() (byte, error) {
	b, err := s.peek(1)
	if err != nil {
		return 0, err
	}
	s.skip(1)
	return b[0], nil
}
