package script

import (
	"strings"

	"github.com/closecap/closecap/analyze/expect"
)

// Word is an entry of the script language's reference.
type Word struct {
	Group string // "calls", "the experiment", "expectations", "options"…
	Usage string
	About string // "" where the usage says it all
}

// Reference lists the script language, in the order in which a reader wants it.
func Reference() []Word {
	var all []Word
	for _, v := range Verbs {
		all = append(all, Word{"calls", "ACTOR " + v.usage, v.about})
	}
	all = append(all,
		Word{"calls", "ACTOR:SOCKET …", "the same on a further socket of that name"},
		Word{"calls", "ACTOR& …", "the same in a thread beside; ACTOR join collects it"},
		Word{"calls", "ACTOR+ACTOR …", "the same by several at the same time"},
		Word{"calls", "… -> OUTCOME", `what the call must return: a number, EOF, "text" or an errno`})
	for _, d := range Directives {
		if d.parse != nil {
			all = append(all, Word{"the experiment", d.usage, d.about})
		}
	}
	for _, usage := range expect.Usages() {
		all = append(all, Word{"expectations", "expect " + usage, ""})
	}
	return append(all,
		Word{"options", strings.Join(sortedKeys(OptionKinds), " "), ""},
		Word{"flags", strings.Join(MsgFlags, " "), ""},
		Word{"segments to drop", strings.Join(dropKinds, " "), ""})
}
