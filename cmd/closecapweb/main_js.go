// Command closecapweb is closecap as a page of the browser: a capture that is dropped on it is analyzed
// there, and nothing leaves the machine. Built for js/wasm it is the program in the page, built for
// anything else it puts the page together. It does not capture, and has no commands: what it shows is the
// page that closecap analyze --html writes.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"syscall/js"

	"github.com/closecap/closecap"
	"github.com/closecap/closecap/analyze/report"
	"github.com/closecap/closecap/capture/pcapfile"
)

// version is set by the linker.
var version = "devel"

// main analyzes the one file that the worker has, and ends: the next file has a new worker.
func main() {
	global := js.Global()
	file := global.Get("closecapFile")
	page, err := analyzeFile(newBlob(file), file.Get("name").String())
	message := map[string]any{"kind": "page"}
	if err != nil {
		message["error"] = report.Safe(err.Error())
	}
	if page != nil {
		text := global.Get("Uint8Array").New(len(page))
		js.CopyBytesToJS(text, page)
		message["page"] = text
	}
	global.Call("postMessage", message)
}

const (
	// wholeSize is up to what size in bytes a capture's segments are all kept and shown, as closecap analyze does.
	wholeSize = 4 << 20
	// memory in bytes is what is left of the 4 GB that wasm has, for the page itself.
	memory = 2 << 30
)

// analyzeFile returns the page of a capture. With an error it holds what came before.
func analyzeFile(file *blob, name string) ([]byte, error) {
	debug.SetMemoryLimit(memory)
	opt := closecap.Options{Tool: "closecap " + version, Source: name}
	opt.AllSegments = file.size <= wholeSize
	a := closecap.New(pcapfile.NewReader(file, name, pcapfile.Options{}), opt)
	var out bytes.Buffer
	stream := report.NewStream(&out, report.HTML, report.Options{})
	var errs []error
	for c, err := range a.Connections(context.Background()) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if err := stream.Connection(c); err != nil {
			return nil, err
		}
	}
	res := a.Result()
	if res == nil || len(errs) > 0 && res.Capture.Packets == 0 {
		return nil, errors.Join(errs...)
	}
	if err := stream.Finish(res); err != nil {
		return nil, err
	}
	return out.Bytes(), errors.Join(errs...)
}

// blob reads a File of the browser, a piece at a time: the whole may be larger than the memory.
type blob struct {
	file, reader js.Value
	at, size     int64
	piece        []byte // read and not handed out
}

const pieceSize = 4 << 20 // bytes

func newBlob(file js.Value) *blob {
	return &blob{file: file, reader: js.Global().Get("FileReaderSync").New(), size: int64(file.Get("size").Float())}
}

func (b *blob) Read(p []byte) (int, error) {
	if len(b.piece) == 0 {
		if b.at >= b.size {
			return 0, io.EOF
		}
		if err := b.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, b.piece)
	b.piece = b.piece[n:]
	return n, nil
}

func (b *blob) next() (err error) {
	defer func() {
		if thrown, ok := recover().(js.Error); ok { // the file went away, or may not be read
			err = fmt.Errorf("read file: %s", thrown.Get("message").String())
		}
	}()
	end := min(b.at+pieceSize, b.size)
	data := js.Global().Get("Uint8Array").New(b.reader.Call("readAsArrayBuffer", b.file.Call("slice", b.at, end)))
	b.piece = make([]byte, data.Get("length").Int())
	js.CopyBytesToGo(b.piece, data)
	b.at = end
	js.Global().Call("postMessage", map[string]any{"kind": "progress", "read": b.at, "of": b.size})
	return nil
}
