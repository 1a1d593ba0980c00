/* Two keys of sites (measured_site.key) that differ -> by which one function. */
#ifndef MALLOSCOPE_CHECK_EDIT_H
#define MALLOSCOPE_CHECK_EDIT_H

#include <stdbool.h>
#include <stddef.h>

/* Of frames that differ, the first one's names; false: they differ in more than one function's name, or in their number. */
bool edit_is_substitution(const char *a, const char *b, const char **ret_a, size_t *ret_a_bytes, const char **ret_b, size_t *ret_b_bytes,
                          size_t *ret_equal);
/* They are the same but for one frame of the longer one's, or of two that are cut at the same depth of the inner one's; ret_frame is it.
 * The one whose frame it is comes first. ret_equal: how many others they have in common. */
bool edit_is_insertion(const char *with, const char *without, const char **ret_frame, size_t *ret_bytes, size_t *ret_equal);
size_t edit_frames_of(const char *key);
/* How many characters they begin and end with in common, of no more than 99. */
size_t edit_names_alike(const char *a, size_t a_bytes, const char *b, size_t b_bytes);

#endif
