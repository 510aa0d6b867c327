package safetensors

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"testing"
)

// file makes a file of a header and so many zero bytes.
func file(header string, body ...byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), body...)
}

func TestNumbers(t *testing.T) {
	all, err := Parse(file(`{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"BF16","shape":[2,1],"data_offsets":[4,8]},
		"c":{"dtype":"F16","shape":[1],"data_offsets":[8,10]},"d":{"dtype":"I8","shape":[],"data_offsets":[10,11]},"e":{"dtype":"BOOL","shape":[7],"data_offsets":[11,12]}}`,
		0, 0, 0x20, 0x40, 0x80, 0x3f, 0, 0xc0, 0x55, 0x35, 0xfe, 1))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]float32{"a": {2.5}, "b": {1, -2}, "c": {0.333251953125}, "d": {-2}} {
		x := all[name]
		got, err := x.AppendFloats(nil)
		if err != nil || len(got) != len(want) || got[0] != want[0] || got[len(got)-1] != want[len(want)-1] {
			t.Errorf("%s: %v, %v; want %v", name, got, err, want)
		}
	}
	e := all["e"]
	if _, err := e.AppendFloats(nil); err == nil || !strings.Contains(err.Error(), "BOOL") {
		t.Errorf("numbers of an unknown type: %v", err)
	}
	if len(all) != 5 {
		t.Errorf("%d tensors", len(all))
	}
}

func TestNumbersOf16Bits(t *testing.T) {
	for bits, want := range map[uint16]float64{0: 0, 0x3c00: 1, 0xc000: -2, 0x3555: 0.333251953125, 1: math.Ldexp(1, -24), 0x7bff: 65504} {
		if got := fromFloat16(bits); got != want {
			t.Errorf("%04x is %v, want %v", bits, got, want)
		}
	}
	if !math.IsNaN(fromFloat16(0x7c00)) || !math.IsNaN(fromFloat16(0xfe00)) {
		t.Error("infinite and no number are numbers")
	}
}

// What is no number is refused in every type that has such.
func TestWhatIsNoNumber(t *testing.T) {
	for kind, body := range map[string][]byte{"F32": {0, 0, 0xc0, 0x7f}, "F64": {0, 0, 0, 0, 0, 0, 0xf0, 0x7f}, "F16": {0, 0xfc}, "BF16": {0x80, 0x7f}} {
		all, err := Parse(file(`{"a":{"dtype":"`+kind+`","shape":[1],"data_offsets":[0,`+string(rune('0'+len(body)))+`]}}`, body...))
		if err != nil {
			t.Fatal(err)
		}
		x := all["a"]
		if _, err := x.AppendFloats(nil); err == nil || !strings.Contains(err.Error(), "number 0 is") {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestFilesThatAreNone(t *testing.T) {
	for _, c := range []struct {
		file []byte
		want string
	}{
		{nil, "too short"},
		{[]byte("\xff\xff\xff\xff\xff\xff\xff\x7f{}"), "longer than the file"},
		{[]byte("\xff\xff\xff\xff\xff\xff\xff\xff{}"), "longer than the file"},
		{file(`{`), "not JSON"},
		{file(`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,0]}}`), `"a": the shape`},
		{file(`{"a":{"dtype":"F32","shape":[4611686018427387904,8],"data_offsets":[0,4]}}`, 1, 2, 3, 4), "larger than"},
		{file(`{"a":{"dtype":"F32","shape":[0,4611686018427387904,8],"data_offsets":[0,4]}}`, 1, 2, 3, 4), "has 4 bytes"},
		{file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}}`, 1, 2, 3, 4), "of 4 bytes"},
		{file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}`, 1, 2, 3, 4), "it lies at -4"},
		{file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}`, 1, 2, 3, 4), "it lies at 4"},
		{file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,18446744073709551615]}}`, 1, 2, 3, 4), `"a"`},
		{file(`{"a":7}`), `"a"`},
		{file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"I8","shape":[2],"data_offsets":[3,5]}}`, 1, 2, 3, 4, 5), "share bytes"},
	} {
		if _, err := Parse(c.file); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60q: %v; want %q", c.file, err, c.want)
		}
	}
}

// Whatever the header says, what is read of a tensor is in the file, and as many numbers as its
// shape says.
func FuzzHeader(f *testing.F) {
	f.Add(file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"BF16","shape":[2,1],"data_offsets":[4,8]}}`, 1, 2, 3, 4, 5, 6, 7, 8))
	f.Add(file(`{"a":{"dtype":"I64","shape":[0,9],"data_offsets":[4,4]},"__metadata__":{"format":"pt"}}`, 1, 2, 3, 4))
	f.Add(file(`{"a":{"dtype":"F16","shape":[],"data_offsets":[0,2]}}`, 0, 0xfc))
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := ReadHeader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		for name, x := range all {
			x, err := x.Read(bytes.NewReader(b))
			if err != nil {
				t.Fatalf("%q: %v", name, err)
			}
			if !bytes.Equal(x.Data, b[x.From:x.To]) {
				t.Fatalf("%q has other bytes than its place", name)
			}
			v, err := x.AppendFloats(nil)
			if err != nil {
				continue
			}
			n := 1
			for _, d := range x.Shape {
				n *= d
			}
			if len(v) != n {
				t.Fatalf("%q of the shape %v has %d numbers", name, x.Shape, len(v))
			}
		}
	})
}
