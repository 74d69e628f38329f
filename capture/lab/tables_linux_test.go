package lab

import "testing"

// The vocabulary is parsed on every system and carried out on Linux: each word must stand in
// both tables.
func TestEveryWordIsCarriedOut(t *testing.T) {
	for _, v := range verbTable {
		if syscallTable[v.name] == nil && specialRuns[v.name] == nil {
			t.Errorf("no system call for %s", v.name)
		}
	}
	for _, d := range directiveTable {
		if directiveRuns[d.name] == nil {
			t.Errorf("nothing carries out %s", d.name)
		}
	}
	for name := range optionTable {
		if optionNumbers[name] == [2]uintptr{} {
			t.Errorf("no number for %s", name)
		}
	}
	for _, names := range [][]string{msgFlags, pollEvents} {
		for _, name := range names {
			if flagNumbers[name] == 0 {
				t.Errorf("no number for %s", name)
			}
		}
	}
	for _, name := range errnoNames {
		if errnoNumber(name) == 0 {
			t.Errorf("the kernel has no %s", name)
		}
	}
}

func errnoNumber(name string) int {
	for n := 1; n < 200; n++ {
		if errnoName(n) == name {
			return n
		}
	}
	return 0
}
