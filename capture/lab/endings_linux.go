package lab

import (
	"slices"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/bpf"
)

// openEndings asks the kernel how this namespace's connections end, where that was asked for and may be done.
func (d *director) openEndings() (err error) {
	if d.opt.Endings == nil {
		return nil
	}
	var scope bpf.Options
	if scope.Netns, err = bpf.Netns("self"); err != nil {
		return err
	}
	if ports := d.ports(); len(ports) == 1 {
		scope.Port = ports[0]
	}
	d.endings, err = d.opt.Endings(scope)
	return err
}

// listen takes what the kernel has told of the script's connections.
func (d *director) listen() error {
	if d.endings == nil {
		return nil
	}
	ports := d.ports()
	return d.endings.Poll(0, func(k event.KernelEvent) {
		local, remote := k.Ends()
		own := slices.Contains(ports, local.Port()) || slices.Contains(ports, remote.Port())
		if (own || k.Release != nil) && len(d.told) < event.MaxKernel {
			d.told = append(d.told, k)
		}
	})
}

// keepTold puts what the kernel told into the recording.
func (d *director) keepTold(rec *event.Recording) {
	if d.endings == nil {
		return
	}
	rec.Kernel = d.told
	rec.Run.Warnings = append(rec.Run.Warnings, bpf.LossWarnings(d.endings.Losses())...)
}
