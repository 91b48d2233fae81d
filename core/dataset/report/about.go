package report

import "github.com/mlvc/mlvc/core/dataset"

// about is what people are told of a rule.
type about struct {
	Holds string // what is so when nothing is found
	Means string // what a finding means
	Do    string // what to do about it
}

var abouts = map[dataset.Rule]about{
	dataset.RuleOverlap: {
		"no sample is in two splits",
		"These samples belong to two splits at once. What a model learned from one, it is then tested on with the other.",
		"Decide for one split each: narrow the globs, or take the path out of one of the lists in mlvc.toml.",
	},
	dataset.RuleCovered: {
		"every sample is in a split",
		"These files are in the dataset, but no split names them: no loader that goes by splits will ever read them.",
		"Name them in a split. If they are no samples, narrow the scheme with its key \"of\", or turn the rule off.",
	},
	dataset.RuleContent: {
		"no content is in two splits",
		"The very same bytes are in two splits, under one name or several. A model that saw them in training has seen the answer.",
		"Remove the copies from one of the splits; from training, if the other is a published test set.",
	},
	dataset.RuleRows: {
		"no row is in two splits",
		"The same row, whatever the order of columns or the format of the table, is in two splits.",
		"Remove the row from one of them. If rows may repeat by chance, name the columns that tell them apart, or waive these.",
	},
	dataset.RuleGroups: {
		"no group is in two splits",
		"Samples that belong together, such as images of one patient, are on both sides. Results measured on such splits are too good.",
		"Put the whole group in one split; splits by ratios do so themselves once a group is declared.",
	},
	dataset.RuleFrozen: {
		"frozen splits are as they were",
		"A split that was declared frozen or sealed is not what it was in the parent commit. Results on it can no longer be compared.",
		"Take the change back, or give the changed split a name of its own. If the change is meant, waive it with the reason.",
	},
	dataset.RuleMoved: {
		"nothing went from evaluation to training",
		"Samples that earlier models were tested on are now trained on. New results look better than they are, and old ones cannot be repeated.",
		"Move them back, or leave them out of training.",
	},
	dataset.RuleNear: {
		"no near-duplicates are in two splits",
		"These samples of two splits are nearly the same: resized, recompressed or lightly edited copies of one another.",
		"Look at the pairs. Remove real copies from one split; lower the limits in [checks] if the pairs are merely alike.",
	},
	dataset.RuleLabels: {
		"every sample has its label, and the reverse",
		"Labels and samples do not fit together: one of a pair is missing, or an annotation says what cannot be.",
		"Add what is missing, or remove what is left over.",
	},
	dataset.RuleDrift: {
		"classes and sizes stay within limits",
		"A split has another size or another balance of classes than in the parent commit, beyond the limits set.",
		"If that is meant, waive it with the reason or raise the limits. Else look at what was added or removed.",
	},
	dataset.RuleReadable: {
		"everything could be read",
		"These files or places in them could not be read, so the other checks say nothing about them.",
		"Mend or remove them.",
	},
}
