package words

import (
	"encoding/binary"
	"strconv"

	"golang.org/x/net/http2/hpack"
)

// Frames with a part of a header besides HEADERS, and their flags (RFC 9113 6).
const (
	h2PushPromise  = 5
	h2Continuation = 9
	h2EndHeaders   = 4
	h2Padded       = 8
	h2Priority     = 0x20
)

const (
	// maxHeads bounds what is kept of a frame with a part of a header, and a name or value in it.
	maxHeads = 16 << 10
	// defaultTable is how large the table of names and values is until the other end allows more (RFC 9113 6.5.2),
	// maxTable how large it may become.
	defaultTable, maxTable = 4 << 10, 64 << 10
)

// head is what a header of HTTP/2 tells of a request or an answer.
type head struct {
	method, path string
	status       int   // 0 in a trailer
	length       int64 // Content-Length, -1 for none
	grpc         int   // grpc-status, which may stand in a trailer
	grpcText     string
}

// heads reads the headers of one end. They are compressed by what stood in those before (RFC 7541), so that after one
// that is malformed none is read, and after one of which the capture lacks some only what leans on no other.
type heads struct {
	table   *hpack.Decoder // nil before the first
	allowed uint32         // by the other end, 0 for what is the default
	lost    bool
	torn    bool // the capture lacks some of one
	over    bool // no more can be read of the one at hand
	head
}

// allow takes the size of table that the other end allows.
func (h *heads) allow(size uint32) {
	h.allowed = min(size, maxTable)
	if h.table != nil {
		h.table.SetAllowedMaxDynamicTableSize(h.allowed)
	}
}

// read takes the next frame with a part of a header, and reports whether that tells something: when it is complete, or
// where no more can be read of it.
func (h *heads) read(msg []byte, total int64) (tells bool) {
	begins, cut := msg[3] != h2Continuation, int64(len(msg)) < total
	if h.lost || !begins && (h.over || h.table == nil) {
		return false
	}
	if begins {
		h.begin()
	}
	front, back, ok := h2Around(msg)
	end := min(int64(len(msg)), total-int64(back))
	if ok = ok && int64(front) <= end; ok {
		_, err := h.table.Write(msg[front:end])
		ok = err == nil
	}
	whole := !cut && msg[4]&h2EndHeaders != 0
	if whole && ok {
		ok = h.table.Close() == nil
	}
	switch {
	case cut, !ok && h.torn:
		h.torn, h.over = true, true
		return h.status > 0 || h.grpc > 0 || h.method != "" && h.path != ""
	case !ok:
		h.lost, h.table = true, nil
		return false
	}
	return whole
}

// begin begins a header. One that refers to what a new table has not is read as far as there.
func (h *heads) begin() {
	h.head, h.over = head{length: -1}, false
	if h.table != nil && !h.torn {
		return
	}
	h.table = hpack.NewDecoder(defaultTable, h.field)
	h.table.SetMaxStringLength(maxHeads)
	if h.allowed > 0 {
		h.table.SetAllowedMaxDynamicTableSize(h.allowed)
	}
}

// h2Around returns what of a frame comes before its data or its part of a header, and how long the padding after that is.
func h2Around(msg []byte) (front, back int, ok bool) {
	kind, flags := msg[3], msg[4]
	front = h2Header
	if kind != h2Continuation && flags&h2Padded != 0 {
		if len(msg) == front {
			return 0, 0, false
		}
		front, back = front+1, int(msg[front])
	}
	switch {
	case kind == h2Headers && flags&h2Priority != 0:
		front += 5
	case kind == h2PushPromise:
		front += 4
	}
	return front, back, true
}

// h2Carries returns how many bytes of a body DATA brings.
func h2Carries(msg []byte, total int64) int64 {
	front, back, _ := h2Around(msg)
	return max(0, total-int64(front+back))
}

// field takes the next name and value.
func (h *heads) field(f hpack.HeaderField) {
	number := func(none int64) int64 {
		if n, err := strconv.ParseInt(f.Value, 10, 62); err == nil && n >= 0 {
			return n
		}
		return none
	}
	switch f.Name {
	case ":method":
		h.method = clip([]byte(f.Value))
	case ":path":
		h.path = clip([]byte(f.Value))
	case ":status":
		h.status = int(min(number(0), 999))
	case "content-length":
		h.length = number(-1)
	case "grpc-status":
		h.grpc = int(min(number(0), 999))
	case "grpc-message":
		h.grpcText = clip([]byte(f.Value))
	}
}

// tableSize returns the size of table that SETTINGS allow, ok is false where they say nothing of it (RFC 9113 6.5.1).
func tableSize(settings []byte) (size uint32, ok bool) {
	const headerTableSize, length = 1, 6
	for ; len(settings) >= length; settings = settings[length:] {
		if binary.BigEndian.Uint16(settings) == headerTableSize {
			size, ok = binary.BigEndian.Uint32(settings[2:]), true
		}
	}
	return size, ok
}
