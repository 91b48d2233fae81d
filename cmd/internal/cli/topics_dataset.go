package cli

const splitsText = `Splits say which samples are for training and which for evaluation. They are declared in
mlvc.toml, recorded with every commit (who is where, by which rule, and a fingerprint of
each split), and checked at every commit ("mlvc help checks"). By the names of files:

  [splits]                          # the scheme "default"
  train  = ["train/**"]             # globs from the root
  test   = ["test/**", "@lists/test.txt"]   # @: a list file, a path a line, # comments
  frozen = ["test"]                 # may not change
  # sealed = ["test"]               # frozen, and not to be read

A list below X/ImageSets/ (Pascal VOC) names images in X/JPEGImages/, without their endings; what
stands behind a name does not count.

Several schemes stand side by side. One that draws; "mlvc split assign NAME --ratios …"
writes it:

  [splits.by-patient]
  of       = ["images/**"]          # its samples; all files, if it is left out
  ratios   = { train = 80, val = 10, test = 10 }    # or: folds = 5 (fold-1 to fold-5)
  seed     = "any text"
  group    = 'patient-(\d+)'        # what never crosses splits: an expression on the path
  stratify = "folder"               # each class by the same shares: the folder's name

What was drawn stays: new samples never move old ones, a file stays under another name (or with its
group), a changed ratio moves as few groups as it can. Another seed ("mlvc split assign NAME --redraw")
draws all anew. By a date:

  [splits.by-time]
  of   = ["images/**"]
  time = { path = '\d{4}-\d{2}-\d{2}', until = { train = "2025-01-01", val = "2025-07-01" }, rest = "test" }

By a table (CSV, TSV, JSON lines, Parquet) that lists the files:

  [splits.listed]
  table  = "meta.csv"               # or globs
  path   = "filename"               # the column that names the file
  column = "split"                  # or ratios, folds or time, and with columns:
  # group = { column = "patient" }
  # stratify = { column = "label" }

Without path the rows of the tables are the samples:

  [splits.rows]
  table    = ["reviews*.csv"]
  ratios   = { train = 90, test = 10 }
  group    = { column = "user" }

Rows are drawn one by one, so that their shares, and those of their classes, are met as by chance.

A symbolic link that leads to a file of the dataset is a sample as that file is: train/ and test/ may
be folders of links to files that are kept once. Links out of the dataset are in no split.

A sealed split's contents are read only with --unseal REASON (checkout, cat, restore, "mlvc check
--html"), which is logged; its file names are listed, and "mlvc model check" compares it, without.
"--split NAME" and "--splits NAME" find the default scheme, or the only one that has NAME; else write
SCHEME:NAME. Rows cannot be sealed: put them into a file of their own, or freeze them.

  mlvc split                        what each split holds
  mlvc split assign                 what the next commit would record
  mlvc split explain PATH           why a sample is where it is
  mlvc split diff v1 v2             what moved
  mlvc split export train           a list for a loader
  mlvc cat HEAD:reviews.csv --split rows:train      rows of one split`

const checksText = `Every commit is held to the rules of its mlvc.toml; "mlvc check" looks without a commit.
A rule is "error" (what it finds refuses the commit), "warn" or "off":

  [checks]
  content = "error"
  near    = { level = "warn", images = 4, text = 0.8, rotations = false }
  rows    = { level = "warn", ignore = ["id"] }
  labels  = { level = "warn", format = "yolo" }     # or voc, coco, folder
  drift   = { level = "warn", classes = 0.1, size = 0.2 }
  moved   = { level = "error", from = ["test*"], to = ["train*"] }

  rule      default  what it finds, and what to do
  overlap   error    a sample in two splits: make the globs or lists say one
  content   error    the same bytes in two splits, under whatever names: remove one, or
                     bring both into one split
  groups    error    a group in several splits, where "group" is declared: move its samples
                     together
  frozen    error    a frozen or sealed split that changed: bring back what it was
                     ("mlvc split diff HEAD~1" names it), or take it out of "frozen"
  moved     error    a sample of an evaluation split (test*, val*, dev*, eval*, holdout*,
                     frozen ones) that is in train* now, also since earlier commits
  rows      warn     the same row of a table in two splits; "ignore" are columns that do
                     not count, such as a running number
  near      warn     nearly the same image or text in two splits: "images" bits of a
                     perceptual hash (1 to 15), "text" the similarity from which (0.6 to 1);
                     false for "images" leaves them out; "rotations" finds turned and
                     flipped images too
  labels    warn     an image without its label, or the reverse, where labels are seen for
                     sure or "format" is given
  drift     warn     classes or sizes of a split that went further from the last commit's
                     than the limits, where some are given
  covered   warn     a sample in no split: widen the globs, or set it "off"
  readable  warn     a table, list or image that cannot be read, with the place

Files mlvc.toml and .mlvcignore and symbolic links are never samples; labels,
annotations and empty files are none for content and near. "covered" passes over labels,
over the tables and lists that schemes are read from, and over README*, LICENSE*, LICENCE*,
CITATION.cff and croissant.json in the root.

What was found and may stand is waived, with a reason that the commit keeps:

  mlvc commit -m "Batch 8" --waive near --reason "two frames of one scene, looked at"

A waiver covers the findings there are, by their contents, and is inherited as long as they
remain ("mlvc check --all" lists it). A new finding is refused again.

  mlvc check --html report.html     the findings, images side by side
  mlvc check --sarif - | …          for tools that show the findings of linters
  mlvc check v1 --json              a commit, by its own rules`
