/* What is promised, told from outside: by what reached the phones and what was published.

   No worker knows any of this. Spin's report names the promise that does not hold. */

#define RECIPIENTS 4
#define REVISIONS  4

byte texts[RECIPIENTS];               /* that reached the phone                                            */
byte insisted[RECIPIENTS];            /* calls that an operator insisted on                                */
byte owed[RECIPIENTS];                /* ids that a worker was given, one bit each                         */
byte published[RECIPIENTS];           /* ids that a result has told                                        */
byte said[RECIPIENTS * REVISIONS];    /* what the results of each revision told; 0: nothing                */
byte named[RECIPIENTS];               /* the entry whose results name the recipient, counted from 1        */
bit harmed[RECIPIENTS];               /* a reply was lost, or a worker died or froze with a call           */
bit recorded[RECIPIENTS];             /* the answer to a request to stop the job is out                    */
bit forgotten[RECIPIENTS];            /* the ledger lost the entry: all that holds then is said below      */

hidden byte only_listed_changes, nobody_twice, no_claim_after_accepted, no_call_after_accepted, one_outcome_each,
  same_revision_same_result, only_upward, unsent_is_unsent, doubt_has_a_reason, every_id_published,
  every_recipient_told, nobody_waits_for_ever, no_call_after_recorded;

/* Nobody gets a text twice, unless the job asked for it, and then not more often than it may be called. */
inline text_arrives() {
  texts[who]++;
  promise(nobody_twice, texts[who] <= most_calls + insisted[who] || forgotten[who])
}

/* Nobody is called for whom an id is there, or whose job was stopped. Who stands still between its last look and its call cannot know. */
inline claim_is_made() {
  promise(no_claim_after_accepted, ledger[e].ids == 0)
}

inline call_leaves() {
  promise(no_call_after_accepted, ledger[e].state != ACCEPTED || froze || forgotten[who]);
  promise(no_call_after_recorded, !recorded[who] || froze || forgotten[who])
}

/* What is reported as not sent was not sent. */
inline entry_ends() {
  promise(unsent_is_unsent, ledger[e].state != UNSENT || texts[who] == 0 || forgotten[who])
}

/* Of the outcomes, UNSENT is 3, UNCERTAIN 2 and ACCEPTED 1: upward is to a smaller number. */
#define result(r)    said[who * REVISIONS + (r)]
#define outcome(r)   (result(r) % 4)
#define content      (told + 4 * ids)

inline result_is_published() {
  promise(one_outcome_each, named[who] == 0 || named[who] == e + 1 || forgotten[who]);
  named[who] = e + 1;
  promise(doubt_has_a_reason, told != UNCERTAIN || harmed[who]);
  assert(revision + 1 < REVISIONS);
  promise(same_revision_same_result, result(revision) == 0 || result(revision) == content || forgotten[who]);
  result(revision) = content;
  promise(only_upward, forgotten[who] || (outcome(revision + 1) <= told
    && (revision == 0 || outcome(revision - 1) == 0 || outcome(revision - 1) >= told)));
  published[who] = published[who] | ids
}

/* Where the ledger forgot, a job may be acknowledged with the result of one call while another's is not confirmed:
   that one's ids are in the ledger, and come with the next delivery of the job. */
inline result_is_left() {
  if :: forgotten[who] && !mine -> owed[who] = owed[who] & ~ids :: else fi
}

/* Nothing waits and nobody works: every job is acknowledged. */
#define unpublished(r)  (owed[r] & ~published[r])

inline all_is_done() {
  promise(every_recipient_told, (!PLAIN_JOB || named[0] > 0) && (!RESEND_JOB || named[1] > 0)
    && (!LARGE_JOB || (named[2] > 0 && named[3] > 0)));
  promise(every_id_published, !unpublished(0) && !unpublished(1) && !unpublished(2) && !unpublished(3))
}
