package report

import (
	"fmt"

	"github.com/closecap/closecap/analyze"
)

// enderSentences name what sent each FIN where that is not simply the close() of who used the
// connection: another holder of the socket, or the end of its process.
func enderSentences(c *analyze.Connection, calls []*analyze.Call) []string {
	var lines []string
	fins := [...]*analyze.Segment{c.Fin(analyze.Client), c.Fin(analyze.Server)}
	for _, s := range c.Segments {
		if s != fins[lifeline(s.From)] {
			continue
		}
		if line := enderSentence(s, calls); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

func enderSentence(fin *analyze.Segment, calls []*analyze.Call) string {
	ender, vain := fin.Enders(calls)
	frame := fmt.Sprintf("the %s's %s (frame %d)", fin.From, finName(fin), fin.Frame)
	switch {
	case ender == nil && vain != nil && vain.Ring:
		let := "when the io_uring of %s let the socket go"
		if fin.Root.Confidence != analyze.InKernel {
			let = "probably " + let
		}
		return fmt.Sprintf("%s did not end it: %s left %s later, "+let+".",
			callWords(vain), frame, span(fin.Time.Sub(vain.Start)), Safe(vain.Actor))
	case ender == nil && vain != nil:
		return fmt.Sprintf("%s did not end it: %s left %s later. What sent it was not recorded.", callWords(vain), frame, span(fin.Time.Sub(vain.Start)))
	case ender == nil && fin.Root.Kind == analyze.RootUnknown && fin.Root.Confidence == analyze.InKernel:
		return fmt.Sprintf("T%s: %s.", frame[1:], Safe(fin.Root.Why))
	case ender == nil:
		return ""
	case vain != nil && vain.Ring:
		return fmt.Sprintf("%s did not end it, since a request in io_uring held the socket: %s sent %s %s later.",
			callWords(vain), callWords(ender), frame, span(fin.Time.Sub(vain.Start)))
	case vain != nil:
		return fmt.Sprintf("%s did not end it, since the socket had another holder: %s sent %s %s later.",
			callWords(vain), callWords(ender), frame, span(fin.Time.Sub(vain.Start)))
	case ender.EndsProcess():
		return fmt.Sprintf("%s sent %s.", callWords(ender), frame)
	}
	return ""
}
