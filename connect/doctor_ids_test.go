package connect

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

// The doctor compares ids with Label Studio's, and says who has more.
func TestDoctorComparesIDs(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(known []event.KnownTask) ([]event.KnownTask, error)
		level  string
		says   string
	}{
		"all the same": {
			change: func(k []event.KnownTask) ([]event.KnownTask, error) { return k, nil },
			level:  "ok", says: "hone knows the 2 tasks and 1 annotations that Label Studio has (ids ",
		},
		"hone knows less": {
			change: func(k []event.KnownTask) ([]event.KnownTask, error) { k[1].Annotations = nil; return k, nil },
			level:  "fail", says: "hone lacks 0 tasks and 1 annotations, and has 0 and 0 too many",
		},
		"hone knows more": {
			change: func(k []event.KnownTask) ([]event.KnownTask, error) {
				return append(k, event.KnownTask{Task: 99, Annotations: []event.AnnotationID{98, 99}}), nil
			},
			level: "fail", says: "hone lacks 0 tasks and 0 annotations, and has 1 and 2 too many",
		},
		"as many, but others": {
			change: func(k []event.KnownTask) ([]event.KnownTask, error) { k[0].Task = 77; return k, nil },
			level:  "fail", says: "hone lacks 1 tasks and 0 annotations, and has 1 and 0 too many",
		},
		"hone cannot say": {
			change: func([]event.KnownTask) ([]event.KnownTask, error) { return nil, errors.New("a torn page") },
			level:  "fail", says: "a torn page",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var r *rig
			r = healthy(t, func(o *Options) {
				o.Holds = func(ctx context.Context, p event.ProjectID) ([]event.KnownTask, error) {
					known, err := r.studio.KnownTasks(ctx, p)
					require.NoError(t, err)
					return tc.change(known)
				}
			})
			ids, err := r.studio.Import(t.Context(), r.project, []map[string]string{{"text": "b"}})
			require.NoError(t, err)
			_, err = r.studio.CreateAnnotation(t.Context(), ids[0], labelstudio.AnnotationWrite{})
			require.NoError(t, err)
			rep, err := r.Doctor(t.Context(), r.project)
			require.NoError(t, err)
			s := labelsStep(t, rep)
			assert.Equal(t, tc.level, s.Level)
			assert.Contains(t, s.What, tc.says)
			assert.Equal(t, tc.level == "fail", s.Fix != "")
		})
	}
}

// A webhook that is on its way is no difference.
func TestDoctorLooksTwice(t *testing.T) {
	looks := 0
	var r *rig
	r = healthy(t, func(o *Options) {
		o.Holds = func(ctx context.Context, p event.ProjectID) ([]event.KnownTask, error) {
			if looks++; looks == 1 {
				return nil, nil
			}
			return r.studio.KnownTasks(ctx, p)
		}
	})
	rep, err := r.Doctor(t.Context(), r.project)
	require.NoError(t, err)
	s := labelsStep(t, rep)
	assert.Equal(t, "ok", s.Level, s.What)
}

func labelsStep(t *testing.T, rep api.Report) api.Step {
	t.Helper()
	i := slices.IndexFunc(rep.Steps, func(s api.Step) bool { return strings.HasSuffix(s.Name, ", labels") })
	require.GreaterOrEqual(t, i, 0, "%+v", rep.Steps)
	return rep.Steps[i]
}
