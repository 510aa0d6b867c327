package config

import (
	"errors"
	"fmt"
	"strings"
	"time"
	// The zones, for containers and systems that have none.
	_ "time/tzdata"

	"github.com/robfig/cron/v3"
)

// Off is the schedule of a job that never runs by itself.
const Off = "off"

// Cron is about what happens by the clock. A schedule is "@every 1m", "@daily",
// five cron fields ("0 3 * * *"), or Off.
type Cron struct {
	// Reconcile compares what changed lately, FullReconcile all ids.
	Reconcile     string `koanf:"reconcile"`
	FullReconcile string `koanf:"full_reconcile"`
	Retrain       string `koanf:"retrain"`
	// Timezone is what the hours of a schedule are in: an IANA name, "UTC" or
	// "Local".
	Timezone string `koanf:"timezone"`
}

// Location returns the time zone of the schedules.
func (c Cron) Location() (*time.Location, error) {
	if c.Timezone == "" {
		return time.Local, nil
	}
	loc, err := time.LoadLocation(c.Timezone)
	if err != nil {
		return nil, fmt.Errorf("cron.timezone %q is not known", c.Timezone)
	}
	return loc, nil
}

// Schedule returns when a spec of this section is due. on is false, and the
// schedule nil, for Off. Give it times that are In(Location()).
func (Cron) Schedule(spec string) (s cron.Schedule, on bool, err error) {
	spec = strings.TrimSpace(spec)
	if strings.EqualFold(spec, Off) {
		return nil, false, nil
	}
	if strings.Contains(spec, "TZ=") {
		return nil, false, errors.New("names a time zone of its own, which belongs into cron.timezone")
	}
	if every, ok := strings.CutPrefix(spec, "@every "); ok {
		d, err := time.ParseDuration(every)
		if err != nil {
			return nil, false, fmt.Errorf("%q is not a duration", every)
		}
		if d < time.Second || d%time.Second != 0 {
			return nil, false, errors.New("must be a whole number of seconds, at least one")
		}
	}
	s, err = cron.ParseStandard(spec)
	if err != nil {
		return nil, false, err
	}
	if s.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, false, errors.New("never comes")
	}
	return s, true, nil
}
