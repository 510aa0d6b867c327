package wake

import "testing"

func TestManyWakeUpsAreOneAndNoneIsLost(t *testing.T) {
	s := New()
	for range 3 {
		s.Set()
	}
	<-s
	select {
	case <-s:
		t.Error("it woke twice")
	default:
	}
	s.Set()
	<-s
}
