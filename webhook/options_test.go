package webhook

import (
	"reflect"
	"testing"
)

// Whoever holds a Server must not reach what it was made of: the gate knows secrets.
func TestAServerShowsNothingOfItsOptions(t *testing.T) {
	for field := range reflect.TypeFor[Server]().Fields() {
		if field.IsExported() {
			t.Errorf("field %s can be reached", field.Name)
		}
	}
}
