package pcapfile

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/terminal"
)

// Writer writes one recording as pcapng, little-endian, with nanoseconds. Frames get the
// numbers 1, 2, … in the order in which packets and calls are written.
type Writer struct {
	w       *bufio.Writer
	about   Interface
	ids     map[writerInterface]uint32
	block   []byte
	packets uint64
	last    event.Time
}

type writerInterface struct {
	index    uint32
	linkType uint16
}

// NewWriter begins a recording of the run. What about says of the interface holds for every
// interface and link type that the packets will name.
func NewWriter(w io.Writer, run *event.Run, about Interface) (*Writer, error) {
	out := &Writer{w: bufio.NewWriter(w), about: about, ids: make(map[writerInterface]uint32)}
	b := binary.LittleEndian.AppendUint32(nil, byteOrderMagic)
	b = append(b, 1, 0, 0, 0)                        // version 1.0
	b = binary.LittleEndian.AppendUint64(b, 1<<64-1) // section length unknown
	if run.Kernel != "" {
		b = appendOption(b, optOS, "Linux "+run.Kernel)
	}
	b = appendOption(b, optApplication, run.Tool)
	return out, out.flushBlock(blockSection, appendEnd(b))
}

// Packet writes p with its comment. p.Frame is not looked at.
func (w *Writer) Packet(p *event.Packet) error {
	id, err := w.iface(p)
	if err != nil {
		return err
	}
	b := binary.LittleEndian.AppendUint32(w.block[:0], id)
	b = appendTime(b, p.Time)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(p.Data)))
	b = binary.LittleEndian.AppendUint32(b, uint32(max(p.WireLen, 0)))
	b = pad(append(b, p.Data...))
	if p.Comment != "" {
		b = appendEnd(appendOption(b, optComment, p.Comment))
	}
	w.block = b
	w.packets++
	w.last = max(w.last, p.Time)
	return w.flushBlock(blockEnhanced, b)
}

// iface describes the packet's interface when it is the first from there.
func (w *Writer) iface(p *event.Packet) (uint32, error) {
	key := writerInterface{p.Interface, p.LinkType}
	if id, ok := w.ids[key]; ok {
		return id, nil
	}
	id := uint32(len(w.ids))
	w.ids[key] = id
	b := binary.LittleEndian.AppendUint32(nil, uint32(p.LinkType))
	b = binary.LittleEndian.AppendUint32(b, w.about.SnapLen)
	b = appendOption(b, optName, w.about.Name)
	if w.about.Filter != "" {
		b = appendOption(b, optFilter, "\x00"+w.about.Filter)
	}
	b = appendOption(b, optResolution, "\x09")
	return id, w.flushBlock(blockInterface, appendEnd(b))
}

// Call writes c as a journal entry, where it shows as a row between the packets.
func (w *Writer) Call(c *event.Call) error {
	b, err := marshal(*c, maxCall)
	if err == nil {
		err = checkLists(c)
	}
	if err != nil {
		return fmt.Errorf("write call %d: %w", c.ID, err)
	}
	return w.entry(terminal.Safe(c.Summary()), c.Start, c.PID, fieldCall, b)
}

// Kernel writes what the kernel told as a journal entry.
func (w *Writer) Kernel(e *event.KernelEntry) error {
	b, err := marshal(*e, maxKernel)
	if err == nil {
		err = e.Check()
	}
	if err != nil {
		return fmt.Errorf("write kernel event: %w", err)
	}
	at := e.When()
	if at == 0 {
		at = w.last
	}
	return w.entry(terminal.Safe(e.Summary()), at, 0, fieldKernel, b)
}

// Close ends the recording with what is known of the whole run: its drop counter, and the
// verdict as an entry of its own, last so that it moves no frame.
func (w *Writer) Close(run *event.Run, expectations []event.Expectation, verdict string) error {
	for id := range uint32(len(w.ids)) {
		b := binary.LittleEndian.AppendUint32(nil, id)
		b = appendTime(b, w.last)
		if id == 0 {
			b = appendCount(b, optIfRecv, w.packets+run.Dropped)
			b = appendCount(b, optIfDrop, run.Dropped)
		}
		if err := w.flushBlock(blockStats, appendEnd(b)); err != nil {
			return err
		}
	}
	b, err := marshal(runEntry{*run, expectations}, maxRun)
	if err != nil {
		return fmt.Errorf("write run: %w", err)
	}
	if err := w.entry(terminal.Safe(verdict), w.last, 0, fieldRun, b); err != nil {
		return err
	}
	return w.w.Flush()
}

func (w *Writer) entry(message string, at event.Time, pid int, key string, json []byte) error {
	b := appendField(w.block[:0], "__REALTIME_TIMESTAMP", strconv.FormatInt(int64(max(at, 0))/1000, 10))
	b = appendField(b, "SYSLOG_IDENTIFIER", "closecap")
	if pid > 0 {
		b = appendField(b, "_PID", fmt.Sprint(pid))
	}
	b = appendField(b, "MESSAGE", message)
	b = appendField(b, key, string(json))
	b = pad(append(b, '\n'))
	w.block = b
	w.last = max(w.last, at)
	return w.flushBlock(blockJournal, b)
}

func (w *Writer) flushBlock(kind uint32, body []byte) error {
	var head [8]byte
	size := uint32(len(body) + 12)
	binary.LittleEndian.PutUint32(head[:], kind)
	binary.LittleEndian.PutUint32(head[4:], size)
	w.w.Write(head[:])
	w.w.Write(body)
	_, err := w.w.Write(head[4:])
	return err
}

func appendTime(b []byte, t event.Time) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(uint64(t)>>32))
	return binary.LittleEndian.AppendUint32(b, uint32(t))
}

// appendOption writes an option, of which 65,535 bytes are the most there can be.
func appendOption(b []byte, code uint16, value string) []byte {
	value = strings.ToValidUTF8(value[:min(len(value), 1<<16-4)], "")
	b = binary.LittleEndian.AppendUint16(b, code)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
	return pad(append(b, value...))
}

func appendCount(b []byte, code uint16, n uint64) []byte {
	b = binary.LittleEndian.AppendUint16(b, code)
	b = binary.LittleEndian.AppendUint16(b, 8)
	return binary.LittleEndian.AppendUint64(b, n)
}

func appendEnd(b []byte) []byte { return append(b, 0, 0, 0, 0) }

func pad(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}
