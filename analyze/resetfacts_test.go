package analyze

import "testing"

// TestResetFacts holds which fact goes before which: what a kernel looks at first is the cause.
func TestResetFacts(t *testing.T) {
	for name, tt := range map[string]struct {
		facts ResetFacts
		want  ResetCause
	}{
		"a SYN":                                {ResetFacts{Answers: true, SYN: true}, ConnRefused},
		"data for a closed socket":             {ResetFacts{Answers: true, Data: true, Closed: true}, DataAfterClose},
		"data for none":                        {ResetFacts{Answers: true, Data: true}, NoSocket},
		"an ACK for a closed one":              {ResetFacts{Answers: true, Closed: true}, NoSocket},
		"a FIN_WAIT2 that nobody is to hold":   {ResetFacts{Answers: true, Closed: true, NoLinger2: true}, Linger2},
		"TIME_WAIT":                            {ResetFacts{Answers: true, Data: true, TimeWait: true, NoLinger2: true}, TimeWaitReset},
		"FIN_WAIT2 that is kept as TIME_WAIT":  {ResetFacts{Answers: true, Data: true, TimeWait: true, Closed: true}, DataAfterClose},
		"unread data before SO_LINGER":         {ResetFacts{Unread: 3, LingerZero: true, NoLinger2: true}, UnreadData},
		"SO_LINGER":                            {ResetFacts{LingerZero: true, NoLinger2: true}, LingerZero},
		"TCP_LINGER2":                          {ResetFacts{NoLinger2: true}, Linger2},
		"unread data that nobody had accepted": {ResetFacts{Listener: true, Unread: 3}, ListenerClosed},
		"connect() to none":                    {ResetFacts{Disconnect: true, Unread: 3, LingerZero: true}, Disconnect},
		"nothing of that":                      {ResetFacts{}, Aborted},
	} {
		if got := tt.facts.Cause(); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}
