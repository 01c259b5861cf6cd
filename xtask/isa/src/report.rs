//! What a compiler says of a pipeline: `name<tab>value` for each of its numbers, then behind a line with `====` the program, in the
//! last of the forms that it went through.

use std::fmt::Write as _;
use std::time::Duration;

use ash::khr::pipeline_executable_properties::Device;
use ash::prelude::VkResult;
use ash::vk;

/// What stands for a report where the driver makes no pipeline.
pub(crate) fn refused(result: vk::Result) -> String {
    format!("refused\t{result}\n")
}

/// # Safety
/// The pipeline is of that device, and lives.
pub(crate) unsafe fn of(
    device: &Device,
    pipeline: vk::Pipeline,
    elapsed: Duration,
    program: bool,
) -> VkResult<String> {
    let info = vk::PipelineInfoKHR::default().pipeline(pipeline);
    // SAFETY: as the caller says, here and below.
    let executables = unsafe { device.get_pipeline_executable_properties(&info) }?;
    let mut text = format!("milliseconds\t{}\n", elapsed.as_millis());
    for (index, executable) in (0..).zip(&executables) {
        let info = vk::PipelineExecutableInfoKHR::default().pipeline(pipeline).executable_index(index);
        let _ = writeln!(text, "subgroup\t{}", executable.subgroup_size);
        // SAFETY: as above.
        let numbers = unsafe { device.get_pipeline_executable_statistics(&info) }?;
        for number in &numbers {
            let _ = writeln!(
                text,
                "{}\t{}",
                number.name_as_c_str().unwrap_or_default().to_string_lossy(),
                value(number)
            );
        }
    }
    if !program {
        return Ok(text);
    }
    text += "====\n";
    for index in 0..executables.len() as u32 {
        let info = vk::PipelineExecutableInfoKHR::default().pipeline(pipeline).executable_index(index);
        // SAFETY: as above.
        text += &unsafe { last_form(device, &info) }?;
    }
    Ok(text)
}

fn value(number: &vk::PipelineExecutableStatisticKHR<'_>) -> String {
    use vk::PipelineExecutableStatisticFormatKHR as Format;
    // SAFETY: the format says which one of the union it is.
    unsafe {
        match number.format {
            Format::BOOL32 => number.value.b32.to_string(),
            Format::INT64 => number.value.i64.to_string(),
            Format::UINT64 => number.value.u64.to_string(),
            _ => number.value.f64.to_string(),
        }
    }
}

/// # Safety
/// As of [`of`].
unsafe fn last_form(device: &Device, info: &vk::PipelineExecutableInfoKHR<'_>) -> VkResult<String> {
    let get = device.fp().get_pipeline_executable_internal_representations_khr;
    let call = |count: &mut u32, forms: *mut vk::PipelineExecutableInternalRepresentationKHR<'_>| {
        // SAFETY: `forms` is null or has room for `count`, and each one's data for its size.
        unsafe { get(device.device(), info, count, forms) }
    };
    let mut count = 0;
    call(&mut count, std::ptr::null_mut()).result()?;
    let mut forms = vec![vk::PipelineExecutableInternalRepresentationKHR::default(); count as usize];
    call(&mut count, forms.as_mut_ptr()).result()?;
    let mut room: Vec<Vec<u8>> = forms.iter().map(|form| vec![0; form.data_size]).collect();
    for (form, room) in forms.iter_mut().zip(&mut room) {
        form.p_data = room.as_mut_ptr().cast();
    }
    call(&mut count, forms.as_mut_ptr()).result()?;
    let written = forms.iter().zip(&room).rfind(|(form, _)| form.is_text == vk::TRUE);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned();
    Ok(written.map(|(_, bytes)| text(bytes)).unwrap_or_default())
}
