package report

import "github.com/closecap/closecap/analyze"

// pictureBody draws each connection, which is for few of them: it keeps the first ones.
type pictureBody struct {
	*Stream
	most int // connections drawn
	draw func(s *Stream, r *analyze.Result) error
	kept []*analyze.Connection
}

func (p *pictureBody) connection(c *analyze.Connection) error {
	if len(p.kept) < p.most {
		p.kept = append(p.kept, c)
	}
	return nil
}

func (p *pictureBody) finish(r *analyze.Result) error {
	r.Connections = p.kept
	return p.draw(p.Stream, r)
}
