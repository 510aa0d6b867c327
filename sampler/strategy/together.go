package strategy

// The strategies of this file look at tasks together, at a sample of the pool: what a task gains
// beside others no single task can say, so the ranking picks. How sure the model is of one task
// is for all of them the Score of Margin.

// Coverage asks for the tasks that best cover the pool where the model is unsure of it (Bae,
// Oliveira & Sutherland, "Uncertainty Herding", ICLR 2025). How unsure it is of a task is 1
// less the Score.
type Coverage struct{ Margin }

// MarginKMeans clusters the tasks of which the model is least sure, each weighted by 1 less the
// Score, and asks for the one nearest to each cluster's centre (Zhdanov 2019, "Diverse
// mini-batch active learning", arXiv 1901.05954).
type MarginKMeans struct{ Margin }

// Badge asks for tasks that would change the model much, and each differently: k-means++ on the
// gradients that the last layer would have, were each task's label the one that is predicted
// (Ash, Zhang, Krishnamurthy, Langford & Agarwal 2020, "Deep batch active learning by diverse,
// uncertain gradient lower bounds", ICLR).
type Badge struct{ Margin }

// Typiclust asks for typical tasks of the largest clusters without labels (Hacohen, Dekel &
// Weinshall 2022, "Active learning on a budget: opposite strategies suit high and low budgets",
// ICML). The model has no say.
type Typiclust struct{ Margin }

// ClassBalanced asks for tasks of which the model is unsure and whose predicted labels are those
// that few labelled tasks have (Bengar, van de Weijer, Fuentes & Raducanu 2022, "Class-balanced
// active learning for image classification", WACV).
type ClassBalanced struct{ Margin }

var (
	_ Strategy = Coverage{}
	_ Strategy = MarginKMeans{}
	_ Strategy = Badge{}
	_ Strategy = Typiclust{}
	_ Strategy = ClassBalanced{}
)
