package pcapfile

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"

	"github.com/closecap/closecap/analyze/event"
)

// Fields of closecap's journal entries, beside the ones systemd defines.
const (
	fieldCall   = "CLOSECAP_CALL"
	fieldKernel = "CLOSECAP_KERNEL"
	fieldRun    = "CLOSECAP_RUN"
)

// Bounds of one entry: JSON becomes many times its size where a list of nothing is long. And of
// all calls of one timeline, which are kept in memory: as many as take about 2 GB, with all that
// is said of them.
const (
	maxCall     = 64 << 10
	maxKernel   = 256 << 10 // a watching may begin on a machine of many addresses
	maxRun      = 1 << 20
	maxList     = 1024
	maxCalls    = 1 << 21
	maxCallText = 1 << 30
)

// runEntry is what CLOSECAP_RUN holds.
type runEntry struct {
	event.Run
	Expectations []event.Expectation `json:"expectations,omitempty"`
}

// journal reads one entry in systemd's export format
// (https://systemd.io/JOURNAL_EXPORT_FORMATS/). Entries of other programs only count.
func (p *pcapng) journal(b []byte, rec *Record) error {
	rec.entry()
	var bad error
	for key, value := range journalFields(b) {
		switch string(key) {
		case "__REALTIME_TIMESTAMP":
			if us, err := strconv.ParseUint(string(value), 10, 53); err == nil && rec.Packet.Time == 0 {
				rec.Packet.Time = event.Time(us * 1000)
			}
		case fieldCall:
			rec.Call = &p.call
			bad = p.file.reader.call(value, rec.Call)
			rec.Packet.Time = rec.Call.Start
		case fieldKernel:
			var e event.KernelEntry
			if bad = unmarshal(value, &e, maxKernel); bad == nil {
				bad = e.Check()
			}
			rec.Kernel, rec.Packet.Time = &e, e.When()
		case fieldRun:
			var e runEntry
			bad = unmarshal(value, &e, maxRun)
			rec.Run = &e.Run
			rec.Expectations, p.damage = p.expectations(e.Expectations)
		}
		if bad != nil {
			return p.file.fail(bad, "journal entry: %s", key)
		}
	}
	return nil
}

// journalFields yields KEY=value lines and the binary form: KEY, newline, 64-bit little-endian
// length, value, newline.
func journalFields(b []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		for {
			line, rest, found := bytes.Cut(b, []byte{'\n'})
			if !found || len(line) == 0 {
				return
			}
			key, value, text := bytes.Cut(line, []byte{'='})
			if !text {
				if len(rest) < 8 {
					return
				}
				n := binary.LittleEndian.Uint64(rest)
				if n >= uint64(len(rest)-8) {
					return
				}
				value, rest = rest[8:8+n], rest[8+n+1:]
			}
			if !yield(key, value) {
				return
			}
			b = rest
		}
	}
}

// call reads what CLOSECAP_CALL holds into c.
func (r *Reader) call(value []byte, c *event.Call) error {
	*c = event.Call{}
	r.calls++
	r.callText += len(value)
	switch {
	case r.calls > maxCalls:
		return fmt.Errorf("more than %d calls", maxCalls)
	case r.callText > maxCallText:
		return fmt.Errorf("more than %d bytes of calls", maxCallText)
	}
	if len(value) > maxCall || !r.callReader.read(value, c) {
		*c = event.Call{}
		if err := unmarshal(value, c, maxCall); err != nil {
			return err
		}
	}
	if err := checkLists(c); err != nil {
		return err
	}
	return c.Check()
}

// expectations returns those that can be evaluated, up to the first that cannot. That one is the
// error, to be told once what the entry says besides has been handed out.
func (p *pcapng) expectations(all []event.Expectation) ([]event.Expectation, error) {
	for i := range all {
		err := all[i].Check()
		if err == nil && i == maxList {
			err = fmt.Errorf("more than %d", maxList)
		}
		if err != nil {
			return all[:i], p.file.fail(err, "journal entry: %s: expectation %d of %d", fieldRun, i+1, len(all))
		}
	}
	return all, nil
}

func checkLists(c *event.Call) error {
	if n := max(len(c.Samples), len(c.Holders), len(c.Counters), len(c.Sent)); n > maxList {
		return fmt.Errorf("a list of %d is beyond %d", n, maxList)
	}
	return nil
}

func unmarshal(b []byte, to any, most int) error {
	if len(b) > most {
		return fmt.Errorf("%d bytes of JSON are beyond %d", len(b), most)
	}
	if err := json.Unmarshal(b, to); err != nil {
		return err
	}
	restore(to)
	return nil
}

func marshal(v any, most int) ([]byte, error) {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(preserve(v)); err != nil {
		return nil, err
	}
	b := bytes.TrimSuffix(buf.Bytes(), []byte{'\n'})
	if len(b) > most {
		return nil, fmt.Errorf("%d bytes of JSON are beyond %d", len(b), most)
	}
	return b, nil
}

// appendField writes one journal field; values that span lines take the binary form.
func appendField(b []byte, key, value string) []byte {
	b = append(b, key...)
	if bytes.IndexByte([]byte(value), '\n') < 0 {
		b = append(b, '=')
	} else {
		b = append(b, '\n')
		b = binary.LittleEndian.AppendUint64(b, uint64(len(value)))
	}
	b = append(b, value...)
	return append(b, '\n')
}
