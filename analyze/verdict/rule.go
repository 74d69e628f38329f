package verdict

import "github.com/closecap/closecap/analyze/tcp"

// rule is a ground on which a claim about an end stands or falls.
type rule struct {
	applies func(fl judged, e tcp.End) bool
	doubt   func(fl judged, e tcp.End) string // why the claim is not sure then; nil: it is
}

// doubt returns what the first of the rules that applies says against a claim about e, "" when none
// does: nothing that the capture lacks could change it.
func (fl judged) doubt(rules []rule, e tcp.End) string {
	for i := range rules {
		switch r := &rules[i]; {
		case !r.applies(fl, e):
		case r.doubt == nil:
			return ""
		default:
			return r.doubt(fl, e)
		}
	}
	return ""
}
