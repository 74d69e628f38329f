package closecap

import (
	"fmt"
	"time"

	"github.com/closecap/closecap/capture/intake"
)

// earlyWarning says where the timeline breaks, "" when it does not.
func earlyWarning(e intake.Early) string {
	if e.Frame == 0 {
		return ""
	}
	return fmt.Sprintf("frame %d is %v earlier than one before it: a capture out of order tears connections apart (reordercap sorts it)",
		e.Frame, e.By.Round(time.Millisecond))
}
