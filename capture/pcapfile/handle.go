package pcapfile

import (
	"cmp"
	"errors"
	"io"
	"os"
)

// maxHandles is how many regular files are open at a time. The others of a timeline wait without a
// descriptor, of which a process may have no more than 1024, or 256.
const maxHandles = 64

// handle reads a regular file, and gives its descriptor up while others need it.
type handle struct {
	path string
	pool *handles
	file *os.File // nil while it has none
	info os.FileInfo
	at   int64
	used uint64 // by the pool's count
}

// handles are those that have a descriptor.
type handles struct {
	open []*handle
	used uint64
	most int // how many there may be; 0 means maxHandles
}

// take opens a file.
func (p *handles) take(path string) (*handle, error) {
	h := &handle{path: path, pool: p}
	return h, h.open()
}

func (h *handle) open() (err error) {
	h.pool.makeRoom()
	if h.file, err = os.Open(h.path); err != nil {
		return cause(err)
	}
	h.pool.open = append(h.pool.open, h)
	return nil
}

// reopen goes on where the reading was left.
func (h *handle) reopen() error {
	if err := h.open(); err != nil {
		return err
	}
	info, err := h.file.Stat()
	if err != nil {
		return cause(err)
	}
	if !os.SameFile(info, h.info) {
		return errors.New("another file has taken its name while it was read")
	}
	_, err = h.file.Seek(h.at, io.SeekStart)
	return err
}

func (h *handle) Read(b []byte) (int, error) {
	if h.file == nil {
		if err := h.reopen(); err != nil {
			return 0, err
		}
	}
	h.pool.used++
	h.used = h.pool.used
	n, err := h.file.Read(b)
	h.at += int64(n)
	return n, err
}

// close gives the descriptor up.
func (h *handle) close() {
	if h.file == nil {
		return
	}
	h.file.Close()
	h.file = nil
	for i, o := range h.pool.open {
		if o == h {
			last := len(h.pool.open) - 1
			h.pool.open[i], h.pool.open[last] = h.pool.open[last], nil
			h.pool.open = h.pool.open[:last]
			return
		}
	}
}

// makeRoom takes the descriptor of the file that was not read for longest, if there are too many. Each
// is worth some hundred packets, so that to look at all is nothing beside it.
func (p *handles) makeRoom() {
	if len(p.open) < cmp.Or(p.most, maxHandles) {
		return
	}
	idle := p.open[0]
	for _, h := range p.open {
		if h.used < idle.used {
			idle = h
		}
	}
	if idle.info == nil {
		idle.info, _ = idle.file.Stat()
	}
	idle.close()
}
