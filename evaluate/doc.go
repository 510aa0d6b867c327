// Package evaluate estimates how well a project's model answers the tasks of the whole pool. The
// strategies ask about tasks that the model is unsure of, so the accuracy over those says little
// about the others. The estimate goes by the tasks that were drawn at random.
package evaluate
