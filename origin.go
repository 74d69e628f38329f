package closecap

import (
	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/points"
	"github.com/closecap/closecap/capture/intake"
)

// origin is a source that knows which of its files a frame was read from, as pcapfile.Reader.
type origin interface {
	Files() int
	Origin(frame uint64) (file string, fileFrame uint64)
}

// origins are the sources that know it, each with its point's name, "" for the only one; none where there is
// nothing to tell apart.
func (a *Analysis) origins() map[string]origin {
	files := 0
	all := map[string]origin{}
	add := func(name string, src intake.Source) {
		if o, ok := src.(origin); ok {
			all[name] = o
			files += o.Files()
		}
	}
	if a.points == nil {
		add("", a.src)
	}
	for _, p := range a.points {
		add(p.Name, p.Source)
	}
	if files < 2 {
		return nil
	}
	return all
}

// locate says which file a connection begins in.
func locate(all map[string]origin, c *analyze.Connection) {
	if o := all[""]; o != nil && len(c.Vantages) == 0 {
		c.FirstFile, c.FirstFileFrame = o.Origin(c.FirstFrame)
		return
	}
	if o, frame, ok := points.First(c, all); ok {
		c.FirstFile, c.FirstFileFrame = o.Origin(frame)
	}
}
