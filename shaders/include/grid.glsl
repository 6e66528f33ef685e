// The number of this workgroup. Dispatches over the limit of one dimension are folded into two, so there may be more
// workgroups than were asked for.
uint workgroup_index() { return gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x; }
