package analyze

import (
	"encoding/json"
	"fmt"

	"github.com/closecap/closecap/analyze/event"
)

// UnmarshalJSON reads what a Result writes of a segment, its flags in both their forms.
func (s *Segment) UnmarshalJSON(data []byte) error {
	type fields Segment // without this method
	if err := json.Unmarshal(data, (*fields)(s)); err != nil {
		return err
	}
	flags, ok := event.ParseFlags(s.FlagText)
	if !ok {
		return fmt.Errorf("parse segment: frame %d: unknown flags %q", s.Frame, s.FlagText)
	}
	s.Flags = flags
	return nil
}
