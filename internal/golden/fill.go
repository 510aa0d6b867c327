package golden

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"
)

// Fill sets every exported field of *p, and of what it holds, to a value that is not
// zero: no key that is left out when empty is then left out. Lists and maps have one
// element. The values come from the places of the fields in their structs, so that two
// fields whose keys change places are seen.
func Fill[T any](p *T) *T {
	fill(reflect.ValueOf(p).Elem(), 1)
	return p
}

func fill(v reflect.Value, n int64) {
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Second)
		return
	case *json.RawMessage:
		*x = fmt.Appendf(nil, `{"raw":%d}`, n)
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d", n))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(n)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(n))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(float64(n) + 0.5)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), n)
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, n)
		fill(value, n)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), 10*n+int64(i)+1)
			}
		}
	default:
		panic(fmt.Sprintf("golden: cannot fill a %s", v.Type()))
	}
}
