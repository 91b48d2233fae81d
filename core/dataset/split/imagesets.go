package split

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/core/dataset"
)

// imageSets is what list files below a folder ImageSets, of Pascal VOC, name:
// the images in the folder JPEGImages beside it, by what stands before their
// endings. In the lists of a class there is a number behind, which says whether
// the image shows one.
type imageSets struct{ images string }

// imageSetsOf returns what a list names; ok is false for one elsewhere.
func imageSetsOf(list string) (sets imageSets, ok bool) {
	folders := strings.Split(path.Dir(list), "/")
	for i, folder := range slices.Backward(folders) {
		if folder == "ImageSets" {
			return imageSets{path.Join(path.Join(folders[:i]...), "JPEGImages")}, true
		}
	}
	return imageSets{}, false
}

// imageEndings are those of images in JPEGImages; if several are there, the
// first counts.
var imageEndings = []string{".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".PNG"}

// names returns the files that a line may mean, the first that is there counts.
// A path with an ending is one from the root, as in any other list.
func (sets imageSets) names(line string) []string {
	name := line // of an image it may have spaces
	if !slices.Contains(imageEndings, path.Ext(name)) {
		name = strings.Fields(line)[0]
	}
	ending := path.Ext(name)
	if ending != "" && strings.Contains(name, "/") {
		return []string{cleanPath(name)}
	}
	var names []string
	if ending != "" {
		names = append(names, path.Join(sets.images, name))
	}
	for _, e := range imageEndings {
		names = append(names, path.Join(sets.images, name+e))
	}
	return names
}

// find returns the file that a line means; if none is there, the one that
// would be a sample.
func (sets imageSets) find(ctx context.Context, s Scheme, files dataset.Files, line string) (string, error) {
	names := sets.names(strings.ReplaceAll(line, `\`, "/"))
	for _, name := range names {
		if f, err := files.Lookup(ctx, name); err != nil || f != nil {
			return name, err
		}
	}
	return names[max(0, slices.IndexFunc(names, s.isSample))], nil
}

// renames reports whether lines may mean another file once the one at p comes
// or goes.
func (s Scheme) renames(p string) bool {
	return slices.ContainsFunc(s.match.all, func(list string) bool {
		sets, ok := imageSetsOf(list)
		return ok && strings.HasPrefix(p, sets.images+"/")
	})
}
