//go:build linux

package trace_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/closecap/closecap/capture/trace"
)

const foreignWarning = " makes 32-bit system calls: its socket calls are not shown"

// TestX32 warns of a call of the x32 ABI, whether or not the kernel has that.
func TestX32(t *testing.T) {
	expectWarning(t, recordProgram(t, "x32"), foreignWarning)
}

// TestI386 warns of a 32-bit program that makes a socket.
func TestI386(t *testing.T) {
	path := filepath.Join(t.TempDir(), "i386")
	if err := os.WriteFile(path, i386Program(t), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := trace.Run(t.Context(), trace.Options{Args: []string{path}})
	if errors.Is(err, syscall.ENOEXEC) {
		t.Skip("the kernel runs no 32-bit programs")
	}
	r := record(t, trace.Options{Args: []string{path}})
	expectWarning(t, r, foreignWarning)
	if r.result.ExitStatus != 7 {
		t.Errorf("result = %+v, want status 7", r.result)
	}
}

// i386Program is an ELF file whose code is socket(AF_INET, SOCK_STREAM, 0) and exit(7).
func i386Program(t *testing.T) []byte {
	code := []byte{
		0xb8, 103, 1, 0, 0, // mov eax, 359
		0xbb, 2, 0, 0, 0, // mov ebx, AF_INET
		0xb9, 1, 0, 0, 0, // mov ecx, SOCK_STREAM
		0x31, 0xd2, // xor edx, edx
		0xcd, 0x80, // int 0x80
		0xb8, 1, 0, 0, 0, // mov eax, 1
		0xbb, 7, 0, 0, 0, // mov ebx, 7
		0xcd, 0x80, // int 0x80
	}
	const base, headers = 0x08048000, 52 + 32
	head := elf.Header32{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS32), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(elf.EM_386), Version: uint32(elf.EV_CURRENT),
		Entry: base + headers, Phoff: 52, Ehsize: 52, Phentsize: 32, Phnum: 1,
	}
	size := uint32(headers + len(code))
	segment := elf.Prog32{
		Type: uint32(elf.PT_LOAD), Vaddr: base, Filesz: size, Memsz: size, Flags: uint32(elf.PF_R | elf.PF_X), Align: 4096,
	}
	var b bytes.Buffer
	for _, part := range []any{head, segment, code} {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}
