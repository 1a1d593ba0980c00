/* versions: built as two versions of one program, with -DVERSION=1 and 2.
 *
 *            by            1                 2
 *   same     main          20 of 100 bytes   20 of 100
 *   grown    main          10 of 50, kept    15 of 60, kept
 *   grown    other         3 of 50, kept     -
 *   fewer    main          40 of 8, freed    10 of 8, freed
 *   removed  main          5 of 1,000        -
 *   added    main          -                 7 of 2,000, kept
 *   forgets  main          6 of 30, freed    6 of 30, kept
 *   moved    early, late   4 and 1 of 10     1 and 4 of 10, freed */
#include <stdlib.h>

static void *volatile sink;

#if VERSION == 2
/* Moves all that comes after it, in the source and in the file. */
__attribute__((noinline, used)) static int before_all(int value)
{
    for (int i = 0; i < value; i++)
        value ^= i * 3;
    return value;
}

__attribute__((noinline)) static void added(void)
{
    for (int i = 0; i < 7; i++)
        sink = malloc(2000);
}
#line 200 /* as if more had come before it */
#endif

__attribute__((noinline)) static void same(void)
{
    for (int i = 0; i < 20; i++) {
        sink = malloc(100);
        free(sink);
    }
}

__attribute__((noinline)) static void grown(int count)
{
    for (int i = 0; i < count; i++)
        sink = malloc(VERSION == 1 ? 50 : 60);
}

__attribute__((noinline)) static void fewer(void)
{
    for (int i = 0; i < (VERSION == 1 ? 40 : 10); i++) {
        sink = malloc(8);
        free(sink);
    }
}

#if VERSION == 1
__attribute__((noinline)) static void other(void)
{
    grown(3);
}

__attribute__((noinline)) static void removed(void)
{
    for (int i = 0; i < 5; i++) {
        sink = malloc(1000);
        free(sink);
    }
}
#endif

__attribute__((noinline)) static void forgets(void)
{
    for (int i = 0; i < 6; i++) {
        sink = malloc(30);
        if (VERSION == 1)
            free(sink);
    }
}

__attribute__((noinline)) static void moved(int count)
{
    for (int i = 0; i < count; i++) {
        sink = malloc(10);
        free(sink);
    }
}

__attribute__((noinline)) static void early(void)
{
    moved(VERSION == 1 ? 4 : 1);
}

__attribute__((noinline)) static void late(void)
{
    moved(VERSION == 1 ? 1 : 4);
}

int main(void)
{
    same();
    grown(VERSION == 1 ? 10 : 15);
    fewer();
    forgets();
    early();
    late();
#if VERSION == 1
    other();
    removed();
#else
    added();
#endif
    return 0;
}
