/* Every change that the entry of tracked messages may undergo: one table, as transitions.pml is for the entries
   of jobs. The model asserts it at each of its writes, and the checks of the code read it from this file
   (units.py). A row that no run of the model needs fails the test.

   Each message that a write changes is looked at, and those that it leaves as they are: SAME. `look` is 1 where
   the entry was there and goes on to a later look, `untold` whether results are recorded and not yet out, before
   the write and after it. */

mtype:message_state = {
  ABSENT,     /* not in the entry, or there is none                                                        */
  OPEN,       /* its end is not known                                                                      */
  ENDED,      /* a result that tells its end is recorded                                                   */
  SAME
};

mtype:unit_change = { BEGIN, JOIN, RECORD, ON };

/* The write that is under way; no part of the state. */
hidden byte old_there, old_look, old_untold, old_open, old_ended, looked, was, is, message, any_row, line;

#define unit_row(name, w, i, l, b, a)  :: was == w && is == i && looked == l && old_untold == b && (unit.untold > 0) == a \
  -> line = __LINE__

#define in(set)  (((set) >> message) & 1)

inline begins_write() {
  old_there = unit.there; old_look = unit.look; old_untold = unit.untold > 0;
  old_open = unit.open; old_ended = unit.ended
}

inline listed_write() {
  looked = old_there && unit.look > old_look;
  message = 0;
  do
  :: message < MESSAGES ->
    was = (in(old_ended) -> ENDED : (in(old_open) -> OPEN : ABSENT));
    is = (in(unit.ended) -> ENDED : (in(unit.open) -> OPEN : ABSENT));
    if
    :: was == is && is == ABSENT -> skip
    :: else ->
      if :: was == is -> was = SAME; is = SAME :: else fi;
      if
      /*       change  before  after  look  untold */
      unit_row(BEGIN,  ABSENT, OPEN,  0,    0, 0)  /* the first look; or the ledger forgot, and a message goes on */
      unit_row(JOIN,   ABSENT, OPEN,  0,    1, 1)  /* beside results that whoever recorded them has to tell      */
      unit_row(JOIN,   SAME,   SAME,  0,    1, 1)
      unit_row(RECORD, OPEN,   ENDED, 0,    0, 1)  /* before its result is published                             */
      unit_row(RECORD, SAME,   SAME,  0,    0, 1)
      unit_row(RECORD, ABSENT, ENDED, 0,    0, 1)  /* the look was brought before the entry named its message    */
      unit_row(RECORD, ABSENT, OPEN,  0,    0, 1)
      unit_row(ON,     ABSENT, OPEN,  1,    0, 0)  /* another message, by a late reply                           */
      unit_row(ON,     ABSENT, OPEN,  1,    1, 0)
      unit_row(ON,     SAME,   SAME,  1,    0, 0)  /* what brings the next look is on its way                    */
      unit_row(ON,     SAME,   SAME,  1,    1, 0)  /* and the results are out                                    */
      :: else -> line = 0
      fi;
      promise(only_listed_changes, line > 0 || !broken(NOTHING));
      c_code { needed(line); }
    fi;
    message++
  :: else -> break
  od;
  old_there = 0; old_look = 0; old_untold = 0; old_open = 0; old_ended = 0; looked = 0; was = 0; is = 0; message = 0
}
