// Residual add + RMSNorm + int4 GEMV for one token, after intel/llm-scaler pull request 399.
//
// Kept from upstream: one workgroup per output row, the two passes over hidden and residual, `GROUPS`
// groups that share a row by contiguous ranges of k, the one array `partial` for the sums of squares and
// then the dot products, the barriers, and who writes what: row 0 alone writes residual and normed_out,
// in the same pass in which every row still reads residual.
//
// Mapped anew: an upstream thread of vector width 128 to 512 is a group of 32 invocations here. In one
// step a group takes 256 elements, 8 adjacent ones an invocation; its last step may be half idle.
// fp16 is read and written as 32-bit words, both halves by one invocation. A row of `output` has a word
// to itself, the fp16 in the low half: packed, two workgroups would share a word.
//
// Order of additions: an invocation adds its elements one after the other by multiply-add; a group adds
// its lanes at distances 16, 8, 4, 2, 1; the row adds partial[0], partial[1], ... from the left.
//
// The lanes of a group meet in subgroup shuffles, as upstream's meet in registers, because a barrier there
// would order the very accesses that MISSING_BARRIER leaves unordered: every group reads all of `partial`
// and then stores its own slot again, with nothing but the group's own additions in between. A group is 32
// consecutive invocations and must lie in one subgroup: subgroups of 32 or more, filled in index order.
// With WORKGROUP_TREE the lanes meet in workgroup memory, for adapters with narrower subgroups: the same
// additions and the same bits, but its barrier before the sum of a group is complete also orders the reads
// before the stores, and so mends MISSING_BARRIER.

// Input elements, a multiple of 512.
override K: u32;
// 1 / K rounded to f32: the mean is a product, as division differs between devices.
override RECIPROCAL_K: f32;
// Groups that share a row: 1, 2, 4 or 8; K is a multiple of 128 * GROUPS.
override GROUPS: u32 = 1u;
// Invocations of a workgroup: not to be set by the launch.
override INVOCATIONS: u32 = GROUPS * 32u;
// How the lanes of a group meet.
override WORKGROUP_TREE: bool = false;
// Variant `fused_no_barrier`.
override MISSING_BARRIER: bool = false;

const LANES = 32u;
const EPSILON = 1e-6f;

@group(0) @binding(0) var<storage, read> hidden: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> residual: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> norm_weight: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> weight: array<u32>;
@group(0) @binding(4) var<storage, read> scale: array<u32>;
@group(0) @binding(5) var<storage, read_write> output: array<u32>;
@group(0) @binding(6) var<storage, read_write> normed_out: array<vec4<u32>>;

// Sums of the groups: first of squares, then of products.
var<workgroup> partial: array<f32, GROUPS>;
// Sums of the invocations, with WORKGROUP_TREE only.
var<workgroup> lane_sums: array<f32, INVOCATIONS>;

@compute @workgroup_size(INVOCATIONS)
fn fused(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let row = workgroup.x;
    let first = first_block(local);
    let end = end_block(local);

    var squares = 0.0;
    for (var block = first; block < end; block += LANES) {
        let h = hidden[block];
        let r = residual[block];
        squares = add_squares(halves(h.x) + halves(r.x), squares);
        squares = add_squares(halves(h.y) + halves(r.y), squares);
        squares = add_squares(halves(h.z) + halves(r.z), squares);
        squares = add_squares(halves(h.w) + halves(r.w), squares);
    }
    let inverse = inverse_root(row_sum(squares, local));

    // Every invocation has read the sums of squares; their slots take the dot products next.
    if (!MISSING_BARRIER && (GROUPS > 1u || WORKGROUP_TREE)) {
        workgroupBarrier();
    }

    var dot = 0.0;
    for (var block = first; block < end; block += LANES) {
        let h = hidden[block];
        let r = residual[block];
        let w = norm_weight[block];
        let added_x = halves(h.x) + halves(r.x);
        let added_y = halves(h.y) + halves(r.y);
        let added_z = halves(h.z) + halves(r.z);
        let added_w = halves(h.w) + halves(r.w);
        let normed_x = (added_x * inverse) * halves(w.x);
        let normed_y = (added_y * inverse) * halves(w.y);
        let normed_z = (added_z * inverse) * halves(w.z);
        let normed_w = (added_w * inverse) * halves(w.w);
        if (row == 0u) {
            residual[block] = vec4(pack(added_x), pack(added_y), pack(added_z), pack(added_w));
            normed_out[block] = vec4(pack(normed_x), pack(normed_y), pack(normed_z), pack(normed_w));
        }
        let quanta = weight[row * (K / 8u) + block];
        let step = scale_of(row, block);
        dot = add_products(normed_x, quanta, step, dot);
        dot = add_products(normed_y, quanta >> 8u, step, dot);
        dot = add_products(normed_z, quanta >> 16u, step, dot);
        dot = add_products(normed_w, quanta >> 24u, step, dot);
    }
    store_output(row, row_sum(dot, local), local);
}

// One workgroup: residual, and normed_out from the residual as stored. GROUPS is 1.
@compute @workgroup_size(INVOCATIONS)
fn prepass(@builtin(local_invocation_index) local: u32) {
    let first = first_block(local);
    let end = end_block(local);

    var squares = 0.0;
    for (var block = first; block < end; block += LANES) {
        let h = hidden[block];
        let r = residual[block];
        let added_x = halves(h.x) + halves(r.x);
        let added_y = halves(h.y) + halves(r.y);
        let added_z = halves(h.z) + halves(r.z);
        let added_w = halves(h.w) + halves(r.w);
        residual[block] = vec4(pack(added_x), pack(added_y), pack(added_z), pack(added_w));
        squares = add_squares(added_x, squares);
        squares = add_squares(added_y, squares);
        squares = add_squares(added_z, squares);
        squares = add_squares(added_w, squares);
    }
    let inverse = inverse_root(row_sum(squares, local));

    for (var block = first; block < end; block += LANES) {
        let r = residual[block];
        let w = norm_weight[block];
        let normed_x = (halves(r.x) * inverse) * halves(w.x);
        let normed_y = (halves(r.y) * inverse) * halves(w.y);
        let normed_z = (halves(r.z) * inverse) * halves(w.z);
        let normed_w = (halves(r.w) * inverse) * halves(w.w);
        normed_out[block] = vec4(pack(normed_x), pack(normed_y), pack(normed_z), pack(normed_w));
    }
}

// One workgroup per output row: reads normed_out, writes output.
@compute @workgroup_size(INVOCATIONS)
fn gemv(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let row = workgroup.x;
    var dot = 0.0;
    for (var block = first_block(local); block < end_block(local); block += LANES) {
        let normed = normed_out[block];
        let quanta = weight[row * (K / 8u) + block];
        let step = scale_of(row, block);
        dot = add_products(halves(normed.x), quanta, step, dot);
        dot = add_products(halves(normed.y), quanta >> 8u, step, dot);
        dot = add_products(halves(normed.z), quanta >> 16u, step, dot);
        dot = add_products(halves(normed.w), quanta >> 24u, step, dot);
    }
    store_output(row, row_sum(dot, local), local);
}

// The first block of 8 elements of this invocation; the next is LANES further on.
fn first_block(local: u32) -> u32 {
    return (local / LANES) * (K / GROUPS / 8u) + (local & (LANES - 1u));
}

// One past the last block of this invocation's group.
fn end_block(local: u32) -> u32 {
    return (local / LANES + 1u) * (K / GROUPS / 8u);
}

// The two fp16 numbers of a word, low half first.
fn halves(word: u32) -> vec2<f32> {
    return vec2(gp_f16x2_lo(word), gp_f16x2_hi(word));
}

fn pack(pair: vec2<f32>) -> u32 {
    return gp_f16x2_pack(pair.x, pair.y);
}

fn add_squares(added: vec2<f32>, sum: f32) -> f32 {
    return gp_multiply_add(added.y, added.y, gp_multiply_add(added.x, added.x, sum));
}

// Adds the products with the weights in the two low nibbles.
fn add_products(normed: vec2<f32>, quanta: u32, step: f32, sum: f32) -> f32 {
    let low = (f32(quanta & 15u) - 8.0) * step;
    let high = (f32((quanta >> 4u) & 15u) - 8.0) * step;
    return gp_multiply_add(normed.y, high, gp_multiply_add(normed.x, low, sum));
}

// The scale of the 128 elements that a block lies in.
fn scale_of(row: u32, block: u32) -> f32 {
    let pair = scale[row * (K / 256u) + block / 32u];
    return gp_f16x2_lo(pair >> (block & 16u));
}

fn inverse_root(squares: f32) -> f32 {
    return gp_rsqrt(gp_multiply_add(squares, RECIPROCAL_K, EPSILON));
}

fn store_output(row: u32, value: f32, local: u32) {
    if (local == 0u) {
        output[row] = gp_f32_to_f16(value);
    }
}

// The sum over the workgroup, in every invocation.
fn row_sum(own: f32, local: u32) -> f32 {
    let lane_zero = (local & (LANES - 1u)) == 0u;
    var sum = group_sum(own, local);
    if (GROUPS > 1u || WORKGROUP_TREE) {
        if (lane_zero) {
            partial[local / LANES] = sum;
        }
        workgroupBarrier();
        sum = partial[0];
        for (var group = 1u; group < GROUPS; group++) {
            sum += partial[group];
        }
    }
    return sum;
}

// The sum over the group, in its lane 0 (in every lane without WORKGROUP_TREE).
fn group_sum(own: f32, local: u32) -> f32 {
    if (WORKGROUP_TREE) {
        return workgroup_tree(own, local);
    }
    return subgroup_tree(own);
}

fn subgroup_tree(own: f32) -> f32 {
    var sum = own;
    sum += subgroupShuffleXor(sum, 16u);
    sum += subgroupShuffleXor(sum, 8u);
    sum += subgroupShuffleXor(sum, 4u);
    sum += subgroupShuffleXor(sum, 2u);
    sum += subgroupShuffleXor(sum, 1u);
    return sum;
}

fn workgroup_tree(own: f32, local: u32) -> f32 {
    lane_sums[local] = own;
    workgroupBarrier();
    if ((local & (LANES - 1u)) != 0u) {
        return own;
    }
    for (var distance = LANES / 2u; distance > 0u; distance >>= 1u) {
        for (var lane = 0u; lane < distance; lane++) {
            lane_sums[local + lane] += lane_sums[local + lane + distance];
        }
    }
    return lane_sums[local];
}
