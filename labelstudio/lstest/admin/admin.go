// Package admin does in Label Studio what people do in its interface and hone never
// does: tests change annotations and tasks with it, and press buttons.
package admin

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/secret"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/wire"
)

// CreatePersonalAccessToken makes one for the token's user. A user has one at
// most; Label Studio answers 409 to a second.
func CreatePersonalAccessToken(ctx context.Context, c *labelstudio.Client) (secret.Secret, error) {
	var answer struct {
		Token string `json:"token"`
	}
	err := c.Do(ctx, labelstudio.Request{Op: "create a personal access token", Method: http.MethodPost, Path: "/api/token/", Body: struct{}{}, Into: &answer})
	return secret.Secret(answer.Token), err
}

// RevokePersonalAccessToken makes one useless.
func RevokePersonalAccessToken(ctx context.Context, c *labelstudio.Client, token secret.Secret) error {
	return c.Do(ctx, labelstudio.Request{Op: "revoke a personal access token", Method: http.MethodPost, Path: "/api/token/blacklist/", Body: map[string]string{"refresh": token.Reveal()}})
}

// PatchProject sets fields of a project, and waits for no other change of it, as
// labelstudio.Client.PatchProject does.
func PatchProject(ctx context.Context, c *labelstudio.Client, id event.ProjectID, patch labelstudio.ProjectPatch) error {
	return c.Do(ctx, labelstudio.Request{Op: fmt.Sprintf("change project %d", id), Method: http.MethodPatch, Path: fmt.Sprintf("/api/projects/%d/", id), Body: patch})
}

// UpdateAnnotation changes an annotation.
func UpdateAnnotation(ctx context.Context, c *labelstudio.Client, id event.AnnotationID, a labelstudio.AnnotationWrite) (event.Annotation, error) {
	var answer wire.Annotation
	err := c.Do(ctx, labelstudio.Request{Op: fmt.Sprintf("change annotation %d", id), Method: http.MethodPatch, Path: annotationPath(id, "/"), Body: a, Into: &answer})
	if err == nil && answer.ID <= 0 {
		err = fmt.Errorf("change annotation %d: the answer has no id", id)
	}
	return answer.Annotation, err
}

// DeleteAnnotation deletes an annotation; one that is gone already is no error.
func DeleteAnnotation(ctx context.Context, c *labelstudio.Client, id event.AnnotationID) error {
	return ignoreNotFound(c.Do(ctx, labelstudio.Request{Op: fmt.Sprintf("delete annotation %d", id), Method: http.MethodDelete, Path: annotationPath(id, "/")}))
}

// ConvertToDraft turns an annotation back into a draft. It vanishes without any
// webhook.
func ConvertToDraft(ctx context.Context, c *labelstudio.Client, id event.AnnotationID) error {
	return c.Do(ctx, labelstudio.Request{Op: fmt.Sprintf("turn annotation %d into a draft", id), Method: http.MethodPost, Path: annotationPath(id, "/convert-to-draft"), Body: struct{}{}})
}

// PatchTask replaces a task's data.
func PatchTask(ctx context.Context, c *labelstudio.Client, id event.TaskID, data any) error {
	return c.Do(ctx, labelstudio.Request{Op: fmt.Sprintf("change task %d", id), Method: http.MethodPatch, Path: taskPath(id), Body: map[string]any{"data": data}})
}

// DeleteTask deletes a task with its annotations; one that is gone already is no
// error. Webhooks hear of the task only.
func DeleteTask(ctx context.Context, c *labelstudio.Client, id event.TaskID) error {
	return ignoreNotFound(c.Do(ctx, labelstudio.Request{Op: fmt.Sprintf("delete task %d", id), Method: http.MethodDelete, Path: taskPath(id)}))
}

// DeleteTasks deletes tasks as the Data Manager does, which webhooks hear of.
func DeleteTasks(ctx context.Context, c *labelstudio.Client, project event.ProjectID, tasks ...event.TaskID) error {
	if len(tasks) == 0 {
		return nil
	}
	return action(ctx, c, project, "delete_tasks", tasks)
}

// RetrievePredictions makes Label Studio ask the ML backend about tasks, all of
// the project's when none is named, as "Retrieve predictions" in its Data
// Manager does. Label Studio answers 200 whatever the backend did.
func RetrievePredictions(ctx context.Context, c *labelstudio.Client, project event.ProjectID, tasks ...event.TaskID) error {
	return action(ctx, c, project, "retrieve_tasks_predictions", tasks)
}

// AnnotateFromPredictions makes annotations of the tasks' predictions that nobody looked
// at, as "Create Annotations From Predictions" in the Data Manager does.
func AnnotateFromPredictions(ctx context.Context, c *labelstudio.Client, project event.ProjectID, tasks ...event.TaskID) error {
	return action(ctx, c, project, "predictions_to_annotations", tasks)
}

// DeleteBackend removes a backend; one that is gone already is no error. The
// webhook Label Studio made for it stays.
func DeleteBackend(ctx context.Context, c *labelstudio.Client, id int64) error {
	return c.DeleteBackend(ctx, id)
}

// TrainBackend presses "Start training": Label Studio sends START_TRAINING to
// the backend's /webhook. It answers 200 whatever the backend did; the backend's
// state tells.
func TrainBackend(ctx context.Context, c *labelstudio.Client, id int64) error {
	return c.Do(ctx, labelstudio.Request{Op: fmt.Sprintf("train ML backend %d", id), Method: http.MethodPost, Path: backendPath(id, "/train"), Body: struct{}{}, Slow: true})
}

func action(ctx context.Context, c *labelstudio.Client, project event.ProjectID, name string, tasks []event.TaskID) error {
	selected := map[string]any{"all": true, "excluded": []int{}}
	if len(tasks) > 0 {
		selected = map[string]any{"all": false, "included": tasks}
	}
	return c.Do(ctx, labelstudio.Request{
		Op: fmt.Sprintf("%s in project %d", name, project), Method: http.MethodPost, Path: "/api/dm/actions/",
		Query: url.Values{"id": {name}, "project": {strconv.FormatInt(int64(project), 10)}},
		Body:  map[string]any{"selectedItems": selected}, Slow: true,
	})
}

func ignoreNotFound(err error) error {
	if labelstudio.IsNotFound(err) {
		return nil
	}
	return err
}

func annotationPath(id event.AnnotationID, rest string) string {
	return "/api/annotations/" + strconv.FormatInt(int64(id), 10) + rest
}

func taskPath(id event.TaskID) string { return "/api/tasks/" + strconv.FormatInt(int64(id), 10) + "/" }

func backendPath(id int64, rest string) string {
	return "/api/ml/" + strconv.FormatInt(id, 10) + rest
}
