package bpf

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/cilium/ebpf/btf"
)

// watchLayouts are the structures of decode.go.
func watchLayouts() map[string]any {
	return map[string]any{
		"endpoint": rawEndpoint{}, "reset": rawReset{}, "release": rawRelease{}, "task": rawTask{}, "holder": rawHolder{},
	}
}

// checkLayouts compares Go's structures with those that the object was compiled from:
// every field must stand where the decoder reads it, and none may be padded.
func checkLayouts(types *btf.Spec, layouts map[string]any) error {
	for name, raw := range layouts {
		var def *btf.Struct
		if err := types.TypeByName(name, &def); err != nil {
			return fmt.Errorf("check layout of %s: %w", name, err)
		}
		t := reflect.TypeOf(raw)
		if t.NumField() != len(def.Members) {
			return fmt.Errorf("check layout of %s: %d fields, the object has %d", name, t.NumField(), len(def.Members))
		}
		at := uintptr(0)
		for i, m := range def.Members {
			f := t.Field(i)
			if !strings.EqualFold(f.Name, strings.ReplaceAll(m.Name, "_", "")) || f.Offset != at || m.Offset.Bytes() != uint32(at) {
				return fmt.Errorf("check layout of %s: %s at %d, the object has %s at %d, and no padding may be before", name, f.Name, f.Offset, m.Name, m.Offset.Bytes())
			}
			at += f.Type.Size()
		}
		if uintptr(def.Size) != at {
			return fmt.Errorf("check layout of %s: %d bytes, the object has %d", name, at, def.Size)
		}
	}
	return nil
}
