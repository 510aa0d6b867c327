package backoff

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestDelayDoublesUpToTheMost(t *testing.T) {
	e := Exponential{Min: 100 * time.Millisecond, Max: time.Second}
	for attempt, want := range map[int]time.Duration{
		-1: 100 * time.Millisecond, 0: 100 * time.Millisecond, 1: 200 * time.Millisecond, 3: 800 * time.Millisecond,
		4: time.Second, 40: time.Second, 61: time.Second, 64: time.Second, 1 << 40: time.Second,
	} {
		if got := e.Delay(attempt); got != want {
			t.Errorf("attempt %d: %v, want %v", attempt, got, want)
		}
	}
	for attempt := range 70 { // the numbers must not wrap around
		if got := (Exponential{Min: time.Hour, Max: 1<<63 - 1}).Delay(attempt); got < time.Hour {
			t.Errorf("attempt %d: %v", attempt, got)
		}
	}
	if got := (Exponential{Min: time.Minute, Max: time.Second}).Delay(0); got != time.Second {
		t.Errorf("%v, beyond the most", got)
	}
}

func TestFailuresAreLoggedEverMoreRarely(t *testing.T) {
	var logged []int
	for n := 1; n <= 20; n++ {
		if ShouldLog(n) {
			logged = append(logged, n)
		}
	}
	if want := []int{1, 2, 4, 8, 16}; !slices.Equal(logged, want) {
		t.Errorf("logged %v, want %v", logged, want)
	}
}

func TestSleepEndsWithWhatComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if !Sleep(t.Context(), time.Minute) || time.Since(began) != time.Minute {
			t.Errorf("slept %v", time.Since(began))
		}
		wake := make(chan struct{}, 1)
		wake <- struct{}{}
		if began = time.Now(); !SleepOrWake(t.Context(), time.Minute, wake) || time.Since(began) != 0 {
			t.Errorf("slept %v although it was woken", time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if began = time.Now(); SleepOrWake(ctx, time.Minute, wake) || time.Since(began) != time.Second {
			t.Errorf("slept %v beyond its context", time.Since(began))
		}
	})
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for in, want := range map[string]time.Duration{
		"3": 3 * time.Second, "0": 0, "-5": 0,
		now.Add(7 * time.Second).Format(http.TimeFormat): 7 * time.Second,
		now.Add(-time.Hour).Format(http.TimeFormat):      0,
	} {
		if d, ok := RetryAfter(http.Header{"Retry-After": {in}}, now); !ok || d != want {
			t.Errorf("%q: %v, %v", in, d, ok)
		}
	}
	for _, in := range []string{"", "soon", "1e9", "99999999999999999999"} {
		if d, ok := RetryAfter(http.Header{"Retry-After": {in}}, now); ok {
			t.Errorf("%q: %v", in, d)
		}
	}
}
