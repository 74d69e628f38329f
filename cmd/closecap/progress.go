package main

import (
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// showProgress draws how far r has come, on a terminal and only when it takes longer than a
// second. The function it returns ends that.
func showProgress(r interface{ Progress() (read, total int64) }, w io.Writer) (stop func()) {
	if _, terminal := isTerminal(w); !terminal {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		var bar *progressbar.ProgressBar
		for {
			select {
			case <-done:
				if bar != nil {
					_ = bar.Clear()
				}
				return
			case <-tick.C:
				read, total := r.Progress()
				if bar == nil {
					bar = progressbar.NewOptions64(total,
						progressbar.OptionSetWriter(w),
						progressbar.OptionShowBytes(true),
						progressbar.OptionClearOnFinish())
				}
				_ = bar.Set64(read)
			}
		}
	}()
	return func() { close(done); <-ended }
}
